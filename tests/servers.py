"""Real servers for tests: MLflow, and the API as it is started in earnest."""

import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from mlflow import MlflowClient

SERVICES = Path(__file__).parents[1] / "services"
START_SECONDS = 120
NAME = "handwriting"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait(what: Callable[[], bool], seconds: float = 60) -> float:
    """Seconds until something is so."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


class Server:
    """A process that answers at `uri`; used as a context manager, its log in `log`."""

    alive = "/health"

    def __init__(self, command: list[str], env: dict[str, str], port: int, log: Path) -> None:
        self._command = command
        self._env = {**os.environ, "PYTHONPATH": str(SERVICES), **env}
        self.uri = f"http://127.0.0.1:{port}"
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            # a session of its own, so that stopping it leaves no worker behind
            self.process = subprocess.Popen(
                self._command, env=self._env, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                httpx.get(f"{self.uri}{self.alive}", timeout=2)
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        self.stop()
        raise RuntimeError(f"{self._command[:4]} did not start:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        if self.process:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(self.process.pid, number)
                    self.process.wait(timeout=10)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
            self.process.wait(timeout=10)
            self.process = None

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Stop it, and start it again at the end whatever happens."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Mlflow(Server):
    """An MLflow server whose database and artifacts lie in one directory.

    Stopped and started again, it has the same address and the same versions.
    """

    def __init__(self, path: Path) -> None:
        port = free_port()
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        command += ["--backend-store-uri", f"sqlite:///{path / 'mlflow.db'}"]
        command += ["--artifacts-destination", str(path / "artifacts")]
        env = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        super().__init__(command, env, port, path / "mlflow.log")

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri, self.uri)

    def register(self, bundle: Path, name: str = NAME, **metrics: float) -> str:
        """Register a bundle, laid out as in the trainer's pyfunc, without the pyfunc's own files.

        Returns the number of the new version.
        """
        client = self.client
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        run = client.create_run("0").info.run_id
        for metric, value in metrics.items():
            client.log_metric(run, metric, value)
        model = client.create_logged_model("0", name="model", source_run_id=run)
        client.log_model_artifacts(model.model_id, str(bundle), "artifacts/bundle")
        client.finalize_logged_model(model.model_id, "READY")
        created = client.create_model_version(name, model.model_uri, run, model_id=model.model_id)
        return str(created.version)

    def move(self, version: str, stage: str, name: str = NAME, *, archive: bool = True) -> None:
        with warnings.catch_warnings():
            # MLflow warns of stages at each move; they are its default address here
            warnings.simplefilter("ignore", FutureWarning)
            self.client.transition_model_version_stage(
                name, version, stage, archive_existing_versions=archive
            )


class Api(Server):
    """`uvicorn api.main:app`, with settings as environment variables."""

    alive = "/health/live"

    def __init__(self, path: Path, **settings: str) -> None:
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "api.main:app", "--port", str(port)]
        super().__init__(
            command,
            {"MODEL_CACHE_DIR": str(path / "cache"), **settings},
            port,
            path / "api.log",
        )

    @classmethod
    def as_started(cls, path: Path, **settings: str) -> Self:
        """`python -m api`, as compose and `make up` start it."""
        api = cls(path, **settings)
        api._command = [sys.executable, "-m", "api"]
        api._env["API_PORT"] = api.uri.rpartition(":")[2]
        return api

    def wait_ready(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = httpx.get(f"{self.uri}/health/ready")
            if answer.status_code == 200:
                return
            time.sleep(0.1)
        raise AssertionError(f"not ready after {seconds} s: {answer.text}")
