"""Processes that are killed, whose clock jumps, or of which there are two."""

import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundles import bars, damage
from calls import fill_cache
from clock import Clock
from servers import Api, Mlflow, wait

Bundles = Callable[..., Path]
POLL_SECONDS = 0.5
DAY = 24 * 3600

_numbers = itertools.count()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"{request.node.originalname}-{next(_numbers)}"


def api(folder: Path, server: Mlflow, name: str, **settings: str) -> Api:
    folder.mkdir(exist_ok=True)
    return Api(
        folder,
        MLFLOW_TRACKING_URI=server.uri,
        MODEL_URI=f"models:/{name}/Production",
        POLL_SECONDS=str(POLL_SECONDS),
        LOG_LEVEL="WARNING",
        **settings,
    )


def publish(server: Mlflow, bundle: Path, name: str) -> str:
    version = server.register(bundle, name)
    server.move(version, "Production", name)
    return version


def state(each: Api) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{each.uri}/model", timeout=10).json()
    return found


def reads(each: Api) -> tuple[str, str]:
    answer = httpx.post(f"{each.uri}/predict", files={"image": bars("aa")}, timeout=10).json()
    return answer["text"], answer["model"]["version"]


@contextmanager
def load(each: Api, clients: int = 8) -> Iterator[list[int]]:
    """Clients that ask on and on; the statuses they were answered, 0 for no answer."""
    over, statuses = threading.Event(), list[int]()
    file = bars("aa a")

    def ask() -> None:
        with httpx.Client(base_url=each.uri, timeout=10) as client:
            while not over.is_set():
                try:
                    statuses.append(client.post("/predict", files={"image": file}).status_code)
                except httpx.HTTPError:
                    statuses.append(0)
                    time.sleep(0.05)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_it_serves_from_its_cache_before_the_registry_has_answered(
    bundle: Bundles, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        fill_cache(tmp_path / "cache", bundle("a"), uri, "models:/handwriting/Production")
        with Api(tmp_path, MLFLOW_TRACKING_URI=uri) as server:
            server.wait_ready()
            found = state(server)
            assert (found["from_cache"], found["polled_at"]) == (True, None)
            assert reads(server)[0] == "aa"


def test_killed_under_load_it_starts_again_from_its_cache(
    mlflow_server: Mlflow, bundle: Bundles, name: str, tmp_path: Path
) -> None:
    version = publish(mlflow_server, bundle("a"), name)
    with api(tmp_path, mlflow_server, name) as server:
        server.wait_ready()
        with load(server) as statuses:
            wait(lambda: statuses.count(200) > 50)
            # a new version is being fetched, too, when the process dies
            second = publish(mlflow_server, bundle("b"), name)
            assert server.process
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()
            wait(lambda: statuses.count(0) > 0)
            with mlflow_server.outage():
                began = time.monotonic()
                server.start()
                server.wait_ready()
                took = time.monotonic() - began
                found = state(server)
                assert found["version"] in (version, second)
                assert found["from_cache"] is True
                answered = statuses.count(200)
                wait(lambda: statuses.count(200) > answered + 50)
        wait(lambda: state(server)["version"] == second and not state(server)["from_cache"])
        assert reads(server) == ("bb", second)
    assert set(statuses) <= {0, 200, 503}
    assert "Traceback" not in server.log.read_text()
    print(f"ready {took:.1f} s after the start, from the cache and with the registry down")


@pytest.mark.slow
@pytest.mark.parametrize("jump", [DAY, -DAY, 400 * DAY], ids=["a day on", "a day back", "far"])
def test_the_clock_may_jump(
    mlflow_server: Mlflow, bundle: Bundles, name: str, tmp_path: Path, jump: int
) -> None:
    clock = Clock(tmp_path)
    publish(mlflow_server, bundle("a"), name)
    with api(tmp_path, mlflow_server, name, **clock.environment) as server:
        server.wait_ready()
        before = datetime.fromisoformat(state(server)["polled_at"])
        with load(server, clients=2) as statuses:
            broken = bundle("c")
            damage(broken)
            bad = publish(mlflow_server, broken, name)
            wait(lambda: (state(server)["reload_error"] or {}).get("version") == bad)
            clock.set(jump)

            def shifted() -> bool:
                told = datetime.fromisoformat(state(server)["polled_at"])
                return abs((told - before).total_seconds() - jump) < 300

            wait(shifted)  # the process does see another day
            # the version that failed is tried again as it was going to be
            at = state(server)["reload_error"]["at"]
            wait(lambda: state(server)["reload_error"]["at"] != at)
            second = publish(mlflow_server, bundle("b"), name)
            took = wait(lambda: state(server)["version"] == second)
            clock.set(0)
            third = publish(mlflow_server, bundle("a"), name)
            wait(lambda: state(server)["version"] == third)
        assert set(statuses) == {200}
    print(f"served {took:.2f} s after its promotion, the clock {jump} s off")


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True], ids=["a cache each", "one cache"])
def test_two_replicas_come_to_the_same_version(
    mlflow_server: Mlflow, bundle: Bundles, name: str, tmp_path: Path, shared: bool
) -> None:
    publish(mlflow_server, bundle("a"), name)
    cache = {"MODEL_CACHE_DIR": str(tmp_path / "shared")} if shared else {}
    replicas = [api(tmp_path / each, mlflow_server, name, **cache) for each in ("one", "two")]
    with replicas[0], replicas[1]:
        for each in replicas:
            each.wait_ready()
        with load(replicas[0], clients=2) as first, load(replicas[1], clients=2) as second:
            for letter in "bcab":
                version = publish(mlflow_server, bundle(letter), name)
                wait(lambda version=version: all(state(e)["version"] == version for e in replicas))
                assert [reads(each) for each in replicas] == [(letter * 2, version)] * 2
        assert set(first + second) == {200}
        # one of them dies and comes back while the registry is away
        with mlflow_server.outage():
            replicas[1].stop()
            replicas[1].start()
            replicas[1].wait_ready()
            assert [reads(each) for each in replicas] == [("bb", version)] * 2
    for each in replicas:
        assert "Traceback" not in each.log.read_text()
    if shared:
        assert len(list((tmp_path / "shared").glob("*/*"))) == 2  # this and the one before
