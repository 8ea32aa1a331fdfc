"""`make up`: the tracking server, the API and a first training, without Docker.

All state lives in `.data/`. A tracking server elsewhere (MLFLOW_TRACKING_URI naming another
machine) is used as it is; one on this machine is started here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tools.processes import Port, Task, run

ROOT = Path(__file__).resolve().parents[1]
LOCAL_HOSTS = {"127.0.0.1", "localhost", "::1"}
ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}
NICENESS = "15"


class Settings(BaseSettings):
    """What `make up` itself needs to know; the services read the rest of the environment."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    mlflow_tracking_uri: str = "http://127.0.0.1:5000"
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=1, le=65535)

    @property
    def api_url(self) -> str:
        host = ANY_HOST.get(self.api_host, self.api_host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.api_port}"


def tasks(settings: Settings, root: Path) -> list[Task]:
    """The processes in the order of their start; `root` is the repository's."""
    env = environment(settings, root)
    server = tracking(settings, root, env)
    # The API needs no registry to start: it serves what its disk cache holds meanwhile.
    rest = [api(settings, root, env), trainer(env, after=server)]
    return [server, *rest] if server else rest


def environment(settings: Settings, root: Path) -> dict[str, str]:
    data = root / ".data"
    defaults = {
        "MODEL_CACHE_DIR": str(data / "cache"),
        "DATA_DIR": str(data / "datasets"),
        "CHECKPOINT_DIR": str(data / "checkpoints"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "LOG_FORMAT": "console",
    }
    path = os.pathsep.join(filter(None, [str(root / "services"), os.environ.get("PYTHONPATH")]))
    return {
        **{name: os.environ.get(name) or value for name, value in defaults.items()},
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "PYTHONPATH": path,
    }


def tracking(settings: Settings, root: Path, env: dict[str, str]) -> Task | None:
    address = urlsplit(settings.mlflow_tracking_uri)
    if address.hostname not in LOCAL_HOSTS:
        return None
    host, port = address.hostname, address.port or 5000
    data = root / ".data"
    data.mkdir(exist_ok=True)
    server = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port)]
    store = ["--backend-store-uri", f"sqlite:///{data / 'mlflow.db'}"]
    artifacts = ["--artifacts-destination", str(data / "artifacts")]
    return Task(
        "tracking",
        [*server, "--workers", "1", "--uvicorn-opts", "--log-level warning", *store, *artifacts],
        # Its job runner is for evaluating language models: eight processes nobody here uses.
        env={**env, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        port=Port(host, port, "MLFLOW_TRACKING_URI"),
        ready_url=f"{settings.mlflow_tracking_uri.rstrip('/')}/health",
        when_ready=f"MLflow: {settings.mlflow_tracking_uri}",
    )


def api(settings: Settings, root: Path, env: dict[str, str]) -> Task:
    return Task(
        "api",
        [sys.executable, "-m", "api"],
        env=env,
        port=Port(settings.api_host, settings.api_port, "API_PORT"),
        ready_url=f"{settings.api_url}/health/ready",
        when_ready=f"Ready: open {settings.api_url} (/docs documents every call), or try:\n"
        + command_to_try(settings, root),
        grace=30.0,  # more than SHUTDOWN_SECONDS
    )


def command_to_try(settings: Settings, root: Path) -> str:
    example = min(root.glob("examples/*.png"), default=None)
    if example is None:
        return f"    curl {settings.api_url}/model"
    return f"    curl -F image=@{example.relative_to(root)} {settings.api_url}/predict"


def trainer(env: dict[str, str], after: Task | None) -> Task:
    return Task(
        "trainer",
        ["nice", "-n", NICENESS, sys.executable, "-m", "trainer", "bootstrap"],
        env=env,
        after=after.name if after else None,
        essential=False,
        grace=30.0,  # it writes a checkpoint first
    )


def main() -> int:
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name = "_".join(map(str, fault["loc"])).upper()
            print(f"{name}={fault['input']}: {fault['msg']}", file=sys.stderr)
        return 2
    os.chdir(ROOT)
    return run(tasks(settings, ROOT))


if __name__ == "__main__":
    sys.exit(main())
