"""The servers that are compared: how each is started, and what it is sent."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from api.settings import Settings
from tools.bench_reading.problem import Unavailable

START_SECONDS = 300.0
STOP_SECONDS = 15.0
BOUNDARY = "bench"


def multipart(image: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="image.png"'
    return (
        f"{head}\r\nContent-Type: image/png\r\n\r\n".encode()
        + image
        + (f"\r\n--{BOUNDARY}--\r\n".encode())
    )


def plain_json(image: bytes) -> bytes:
    return json.dumps({"image": base64.b64encode(image).decode()}).encode()


def dataframe(image: bytes) -> bytes:
    """As `mlflow models serve` takes it."""
    split = {"columns": ["image"], "data": [[base64.b64encode(image).decode()]]}
    return json.dumps({"dataframe_split": split}).encode()


FORM = f"multipart/form-data; boundary={BOUNDARY}"
JSON = "application/json"

GREEDY = "/predict?decoder=greedy"
"""Of the API: as the limit and every other server decode here."""


ROOT = Path(__file__).parents[2]
PACKAGES = os.pathsep.join((str(ROOT / "services"), str(ROOT)))


@dataclass(frozen=True)
class Spec:
    """A server to start. `{port}` in command and environment becomes its port."""

    name: str
    command: Sequence[str]
    body: Callable[[bytes], bytes]
    content_type: str
    path: str = "/predict"
    ready: str = "/health"
    env: Mapping[str, str] = field(default_factory=dict)
    settled: Callable[[httpx.Client], bool] = lambda client: True
    """Whether it has done what it does once after a start, and can be measured."""


class Running:
    """A started server. It is stopped while others are measured, so that it takes no time."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        self.spec = spec
        self._log = folder / "logs" / f"{spec.name.replace(' ', '-')}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Raises `Unavailable`."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        fill = {"port": str(port)}
        env = {name: value.format(**fill) for name, value in self.spec.env.items()}
        self._output = self._log.open("wb")
        try:
            self._process = subprocess.Popen(
                [part.format(**fill) for part in self.spec.command],
                env={**_inherited(), "PYTHONPATH": PACKAGES, **env},
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(str(error)) from error
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}{self.spec.ready}", timeout=2).status_code == 200:
                    return self._settle()
            time.sleep(0.05)
        raise Unavailable(f"it did not start; {self._log} says why")

    def _settle(self) -> None:
        with httpx.Client(base_url=self.url, timeout=10) as client:
            deadline = time.monotonic() + START_SECONDS
            while not self.spec.settled(client):
                if time.monotonic() > deadline:
                    raise Unavailable(f"it does not settle; {self._log} says why")
                time.sleep(0.2)

    @contextmanager
    def awake(self):  # type: ignore[no-untyped-def]
        """Let it run for as long as it is measured."""
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._signal(signal.SIGSTOP)

    def sleep(self) -> None:
        self._signal(signal.SIGSTOP)

    def stop(self) -> None:
        if self._process is not None:
            for number in (signal.SIGCONT, signal.SIGTERM):
                self._signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            self._signal(signal.SIGKILL)  # whatever the group still holds
            self._process.wait()
            self._process = None
        if self._output is not None:
            self._output.close()
            self._output = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def _inherited() -> dict[str, str]:
    """The environment without the API's settings: what `.env` says of a service is not measured."""
    settings = {name.upper() for name in Settings.model_fields}
    return {name: value for name, value in os.environ.items() if name.upper() not in settings}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def python(*arguments: str, executable: str = sys.executable) -> list[str]:
    return [executable, *arguments]
