"""Several processes that answer at one address: one dies, all change version, all are stopped."""

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import httpx
import psutil
import pytest

from api import workers as keeping
from bundles import bars, make_bundle
from calls import fill_cache
from servers import Api, Mlflow, wait

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked")

REGISTRY = "http://127.0.0.1:9"  # nothing listens there: the model comes from the disk cache
SETTINGS = {"WORKERS": "2", "LOG_LEVEL": "WARNING", "POLL_SECONDS": "0.5"}
READ = 'handwriting_requests_total{method="POST",route="/predict",status="200"}'
FILE = bars("aa")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    bundle = make_bundle(tmp_path / "bundle").path
    fill_cache(tmp_path / "cache", bundle, REGISTRY, "models:/handwriting/Production")
    with Api.as_started(
        tmp_path, MLFLOW_TRACKING_URI=REGISTRY, MAX_QUEUE_IMAGES="100", **SETTINGS
    ) as server:
        server.wait_ready()
        yield server


def workers(api: Api) -> list[psutil.Process]:
    assert api.process
    children: list[psutil.Process] = psutil.Process(api.process.pid).children()
    return children


def ports(worker: psutil.Process) -> set[int]:
    """Of the clients that are connected to a worker."""
    return {each.raddr.port for each in worker.net_connections("tcp") if each.raddr}


def read(api: Api) -> tuple[str, str]:
    """Text and version, on a connection of its own: of whichever worker it comes to."""
    answer = httpx.post(f"{api.uri}/predict", files={"image": FILE}, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()["text"], answer.json()["model"]["version"]


def metric(api: Api, line: str) -> float:
    text = httpx.get(f"{api.uri}/metrics", timeout=20).text
    return sum(float(each.split()[-1]) for each in text.splitlines() if each.startswith(line))


class Client(threading.Thread):
    """Asks on and on, on one connection for as long as that lasts."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        host, _, port = api.uri.removeprefix("http://").partition(":")
        self._connection = HTTPConnection(host, int(port), timeout=20)
        self.ports: list[int] = []
        self.statuses: list[int] = []
        self.over = False

    def run(self) -> None:
        body = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        body += FILE + b"\r\n--x--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        while not self.over:
            try:
                if self._connection.sock is None:
                    self._connection.connect()
                    self.ports.append(self._connection.sock.getsockname()[1])
                self._connection.request("POST", "/predict", body, headers)
                answer = self._connection.getresponse()
                answer.read()
                self.statuses.append(answer.status)
            except (OSError, HTTPException):
                self.statuses.append(0)
                self._connection.close()
        self._connection.close()


@contextmanager
def load(api: Api, number: int) -> Iterator[list[Client]]:
    clients = [Client(api) for _ in range(number)]
    for client in clients:
        client.start()
    try:
        wait(lambda: all(client.statuses for client in clients))
        yield clients
    finally:
        for client in clients:
            client.over = True
        for client in clients:
            client.join()


@pytest.mark.parametrize("which", [0, 1], ids=["the one that asks the registry", "another"])
def test_a_worker_that_dies_is_replaced_and_nobody_else_notices(api: Api, which: int) -> None:
    with load(api, 16) as clients:
        victim, other = workers(api)[which], workers(api)[1 - which]
        hit = ports(victim)
        before = metric(api, READ)
        victim.send_signal(signal.SIGSEGV)  # as a decoder of images may end it
        began = time.monotonic()
        wait(lambda: not victim.is_running() or victim.status() == psutil.STATUS_ZOMBIE)
        wait(lambda: len(workers(api)) == 2 and victim not in workers(api))
        assert other in workers(api)
        asked = [len(client.statuses) for client in clients]
        wait(
            lambda: all(
                len(client.statuses) > number + 5
                for client, number in zip(clients, asked, strict=True)
            )
        )
        took = time.monotonic() - began
        assert metric(api, READ) > before  # what the dead one counted is not forgotten
    for client in clients:
        # whoever was connected to it loses what was being answered, and that alone
        lost = client.statuses.count(0)
        assert lost <= 1 if client.ports[0] in hit else lost == 0
        assert set(client.statuses) <= {0, 200}
    wait(lambda: all(ports(worker) == set() for worker in workers(api)))
    assert {read(api) for _ in range(20)} == {("aa", "1")}
    print(f"everybody was answered again {took:.1f} s after it died")


def test_all_workers_change_version_together(
    mlflow_server: Mlflow, bundle: Callable[..., Path], tmp_path: Path
) -> None:
    name = "workers"
    first = mlflow_server.register(bundle("a"), name)
    mlflow_server.move(first, "Production", name)
    settings = {"MLFLOW_TRACKING_URI": mlflow_server.uri, "MODEL_URI": f"models:/{name}/Production"}
    with Api.as_started(tmp_path, **settings, **SETTINGS) as api:
        api.wait_ready()
        assert {read(api) for _ in range(20)} == {("aa", first)}
        with load(api, 4) as clients:
            second = mlflow_server.register(bundle("b"), name)
            mlflow_server.move(second, "Production", name)
            wait(lambda: read(api)[1] == second)
            began = time.monotonic()
            wait(lambda: {read(api) for _ in range(10)} == {("bb", second)})
            took = time.monotonic() - began
            assert {read(api) for _ in range(40)} == {("bb", second)}  # and it stays so
            states = [httpx.get(f"{api.uri}/model", timeout=20).json() for _ in range(20)]
            assert {(state["version"], state["from_cache"]) for state in states} == {
                (second, False)
            }
            assert metric(api, "handwriting_model_swaps_total") == 2
            # a version that cannot be served is told by all, and served by none
            broken = mlflow_server.register(bundle("c", golden="wrong"), name)
            mlflow_server.move(broken, "Production", name)

            def error() -> str | None:
                told = httpx.get(f"{api.uri}/model", timeout=20).json()["reload_error"]
                return told and told["version"]

            wait(lambda: {error() for _ in range(20)} == {broken})
            assert {read(api) for _ in range(20)} == {("bb", second)}
        assert {status for client in clients for status in client.statuses} == {200}
    print(f"all had changed {took:.2f} s after the first")


def test_numbers_of_all_workers_add_up(api: Api) -> None:
    for _ in range(30):
        read(api)
    wait(lambda: metric(api, READ) == 30)  # each counts a little later
    for _ in range(10):  # whichever worker tells
        assert metric(api, READ) == 30
        assert metric(api, "handwriting_batch_images_count") == 30
        assert metric(api, "handwriting_queue_limit_images") == 100
        assert metric(api, "handwriting_queue_images") == 0
        assert metric(api, "handwriting_ready") == 1
        assert metric(api, "handwriting_model_info") == 1
        assert metric(api, "handwriting_registry_up") == 0
    memory = sum(worker.memory_info().rss for worker in workers(api))
    assert 0.8 < metric(api, "process_resident_memory_bytes") / memory < 1.2


def test_numbers_have_their_room_on_the_disk(api: Api) -> None:
    read(api)
    for worker in workers(api):
        files = [Path(each.path) for each in worker.memory_maps() if each.path.endswith(".db")]
        assert files
        found = [file.stat() for file in files]
        assert all(file.st_blocks * 512 >= file.st_size > 0 for file in found)


async def test_all_workers_finish_what_they_accepted(api: Api) -> None:
    assert api.process
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=api.uri, timeout=60, limits=limits) as client:
        image = {"image": bars("a" * 25)}
        posts = [asyncio.create_task(client.post("/predict", files=image)) for _ in range(60)]
        async with asyncio.timeout(20):
            while (await asyncio.to_thread(metric, api, READ)) < 5:
                await asyncio.sleep(0)
        # to all of them, as a terminal and some supervisors do: it counts once
        os.killpg(api.process.pid, signal.SIGTERM)
        answers = await asyncio.gather(*posts, return_exceptions=True)
    read_ = [each for each in answers if not isinstance(each, BaseException)]
    assert {answer.status_code for answer in read_} <= {200, 503}
    # what had not come in when a worker closed may be cut off, as it is where there is one
    assert len(read_) >= 50
    assert await asyncio.to_thread(api.process.wait, 20) == 0
    assert not psutil.pid_exists(api.process.pid)


def test_workers_end_with_the_process_that_keeps_them(api: Api) -> None:
    assert api.process
    left = workers(api)
    os.kill(api.process.pid, signal.SIGKILL)
    api.process.wait()
    gone, alive = psutil.wait_procs(left, timeout=20)
    assert (len(gone), alive) == (2, [])


def test_a_second_start_at_the_same_address_says_so(api: Api) -> None:
    port = api.uri.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "api"],
        env={**api._env, "API_PORT": port},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    says = f"API_HOST=127.0.0.1 API_PORT={port}: Address already in use"
    assert done.stderr.splitlines() == [says]
    assert read(api) == ("aa", "1")


def test_a_worker_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = keeping._Workers.__new__(keeping._Workers)
    keeper._running, keeper._due, keeper._kill_at = {}, {}, None
    tried: list[int] = []

    def fork(number: int) -> None:
        tried.append(number)
        if len(tried) < 3:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        keeper._kill_at = time.monotonic() + 60  # else it would keep the one that is missing

    monkeypatch.setattr(keeper, "_fork", fork)
    monkeypatch.setattr(keeping, "LEAST_SECONDS", 0.05)
    monkeypatch.setattr(keeping, "SIGNALS", ())
    with socket.socket() as listener:
        keeper._sockets = [listener]
        keeper.run()
    assert tried == [0, 0, 0]
