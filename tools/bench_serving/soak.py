"""A long load on the API: twice what it can bear, and versions that change meanwhile.

MLflow, the API and the load are processes of their own; two versions of one bundle are promoted
by turns.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import mlflow
import psutil

from recognizer.address import Address
from recognizer.bundle import Bundle
from tools.bench_reading.problem import Problem
from tools.bench_serving.endurance import CLIENTS, READ, Phase, Reply
from tools.bench_serving.load import Target, load
from tools.bench_serving.servers import FORM, GREEDY, PACKAGES, Running, Spec, multipart, python
from trainer.registry import Registry

STREAM = "tools.bench_serving.stream"
ADDRESS = "models:/handwriting/Production"
MOST_REFUSED = 0.05
"""Of what was read."""
LONE = 60
"""Requests one after another, by which the usual latency is known."""
NEAR = 1.5
"""Times the usual latency that count as usual."""
MOST_SWAP_SECONDS = 60.0
BETWEEN_LOOKS = 0.2
CALM = 20.0
"""Seconds of the load before the first change of version and after the last, to compare memory."""

Told = Callable[[str], None]


class Stack:
    """MLflow with two versions, and the API that serves the first."""

    def __init__(self, bundle: Path, folder: Path, files: list[bytes]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "bodies").mkdir(parents=True)
        self.folder = folder
        self.bodies = []
        for number, file in enumerate(files):
            self.bodies.append(folder / "bodies" / f"{number}.body")
            self.bodies[-1].write_bytes(multipart(file))
        self._bundle = Bundle.load(bundle)
        store = f"sqlite:///{folder.resolve() / 'mlflow.db'}"
        server = ["-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
        server += ["--port", "{port}", "--backend-store-uri", store]
        server += ["--artifacts-destination", str(folder.resolve() / "artifacts")]
        self.mlflow = Running(
            Spec(
                "MLflow",
                python(*server),
                multipart,
                FORM,
                ready="/health",
                env={"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            ),
            folder,
        )
        self._client = httpx.Client(timeout=60)
        self.versions: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start both. Raises `Unavailable`."""
        try:
            self.mlflow.start()
            self.registry = Registry(self.mlflow.url, Address.parse(ADDRESS))
            with mlflow.start_run():
                self.versions = [
                    self.registry.register(self._bundle, description="soak", tags={}).number
                    for _ in range(2)
                ]
            self.registry.promote(self.versions[0])
            self.api = self._api()
            self.api.start()
            # from the registry once, so that the next start finds it in the cache
            self._wait(lambda: not self.state()["from_cache"])
            self.api.stop()
            began = time.perf_counter()
            self.api = self._api()
            self.api.start()
            self.cold_start = time.perf_counter() - began
            self._wait(lambda: not self.state()["from_cache"])
            yield
        finally:
            for server in (getattr(self, "api", None), self.mlflow):
                if server:
                    server.stop()
            self._client.close()

    def _api(self) -> Running:
        env = {
            "MLFLOW_TRACKING_URI": self.mlflow.url,
            "MODEL_URI": ADDRESS,
            "MODEL_CACHE_DIR": str(self.folder.resolve() / "cache"),
            "POLL_SECONDS": "1",
            "API_HOST": "127.0.0.1",
            "API_PORT": "{port}",
            "LOG_LEVEL": "WARNING",
        }
        return Running(
            Spec("API", python("-m", "api"), multipart, FORM, ready="/health/ready", env=env),
            self.folder,
        )

    @property
    def target(self) -> Target:
        return Target(self.api.url, GREEDY, FORM, self.bodies)

    def state(self) -> dict[str, object]:
        found: dict[str, object] = self._client.get(f"{self.api.url}/model").json()
        return found

    def memory(self) -> int:
        """Of all processes of the API, what they share counted once."""
        api = psutil.Process(self.api.pid)
        return sum(each.memory_full_info().pss for each in (api, *api.children(recursive=True)))

    def ask(self, number: int) -> float:
        """Seconds that one request takes."""
        body = self.bodies[number % len(self.bodies)].read_bytes()
        began = time.perf_counter()
        answer = self._client.post(
            f"{self.api.url}{GREEDY}", content=body, headers={"content-type": FORM}
        )
        if answer.status_code != READ:
            return float("inf")
        return time.perf_counter() - began

    def alone(self) -> float:
        """The usual seconds of the images, asked for one after another."""
        return statistics.median(self.ask(number) for number in range(LONE))

    def saturated(self, seconds: float) -> float:
        """Images read a second where next to none is refused. Raises `Problem` where many are."""
        found = load(self.target, CLIENTS, seconds, self.folder)
        if found.refused > MOST_REFUSED * found.rate * seconds:
            raise Problem(
                f"Of {CLIENTS} clients {found.refused} images were refused: the API is too slow "
                "here to find its rate by them."
            )
        return found.rate

    def _recovered(self, end: float, usual: float) -> float:
        """Seconds from the end of a load, by the monotonic clock, until requests are as usual."""
        while (since := time.monotonic() - end) < MOST_SWAP_SECONDS:
            if statistics.median(self.ask(number) for number in range(10)) <= NEAR * usual:
                return since
        raise Problem("The API does not become as fast again as it was.")

    @contextmanager
    def _watched(self, phase: Phase, began: float) -> Iterator[None]:
        """Look at the memory meanwhile, while a version is changed too."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(BETWEEN_LOOKS):
                phase.memory.append((time.monotonic() - began, self.memory()))

        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(watch)
            try:
                yield
            finally:
                over.set()
        watching.result()

    def stream(
        self,
        rate: float,
        seconds: float,
        swaps: int = 0,
        *,
        calm: float = 0.0,
        usual: float | None = None,
    ) -> Phase:
        """Requests at a rate for so long, and changes of version spread over the time.

        Args:
            calm: seconds of the same load before the first change, and again after the last.
            usual: seconds of a lone request; how long it takes until they are so again is
                measured then.
        """
        phase = Phase(rate, calm + seconds + calm)
        job = {
            "url": f"{self.api.url}{GREEDY}",
            "type": FORM,
            "bodies": list(map(str, self.bodies)),
            "rate": rate,
            "seconds": phase.seconds,
        }
        output = self.folder / "replies.txt"
        with output.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", STREAM, json.dumps(job)],
                stdout=stream,
                env={**os.environ, "PYTHONPATH": PACKAGES},
            )
            self._wait(lambda: process.poll() is not None or output.read_text().endswith("\n"))
            began = float(output.read_text().splitlines()[0]) if not process.poll() else 0.0
            with self._watched(phase, began):
                while process.poll() is None:
                    now = time.monotonic() - began
                    due = int(swaps * (now - calm + 1) / seconds)
                    if now < calm + seconds and len(phase.swaps) < due:
                        self._swap()
                        phase.swaps.append(time.monotonic() - began)
                    if usual and now >= phase.seconds and phase.recovered is None:
                        phase.recovered = self._recovered(began + phase.seconds, usual)
                    time.sleep(BETWEEN_LOOKS)
        if process.returncode:
            raise Problem(f"The load ended with {process.returncode}.")
        if usual and phase.recovered is None:
            raise Problem("The load was over before anybody looked.")
        replies = output.read_text().splitlines()[1:]
        phase.replies = [Reply(*json.loads(line)) for line in replies]
        return phase

    def _swap(self) -> None:
        """Promote the version that is not served, and wait until it is."""
        other = next(each for each in self.versions if each != self.state()["version"])
        self.registry.promote(other)
        self._wait(lambda: self.state()["version"] == other)

    def _wait(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + MOST_SWAP_SECONDS
        while not what():
            if time.monotonic() > deadline:
                raise Problem(f"The API did not get there; {self.folder}/logs says why.")
            time.sleep(0.1)
