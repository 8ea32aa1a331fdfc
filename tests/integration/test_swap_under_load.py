"""Versions change under load: no request fails, and none is answered by a version long gone."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from bundles import bars, damage
from servers import Api, Mlflow

CLIENTS = 20
LETTERS = {"1": "a", "2": "b"}


@dataclass(frozen=True)
class Answer:
    began: float
    status: int
    version: str
    text: str


@dataclass
class Load:
    """Clients that post one image after another, and what they were answered."""

    uri: str
    answers: list[Answer] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def client(self) -> None:
        files = {"image": bars("aa a")}
        async with httpx.AsyncClient(base_url=self.uri, timeout=30) as client:
            while not self.over.is_set():
                began = time.monotonic()
                answer = await client.post("/predict", files=files)
                found = answer.json()
                version = found["model"]["version"] if answer.status_code == 200 else ""
                self.answers.append(
                    Answer(began, answer.status_code, version, found.get("text", answer.text))
                )


class Production:
    """Which version the registry called Production, from when to when."""

    def __init__(self, server: Mlflow, name: str, api: str) -> None:
        self._server, self._name, self._api = server, name, api
        self.times: list[tuple[str, float, float]] = []

    async def promote(self, version: str) -> None:
        began = time.monotonic()
        await asyncio.to_thread(self._server.move, version, "Production", self._name)
        now = time.monotonic()
        if self.times:
            before, since, _ = self.times[-1]
            self.times[-1] = (before, since, now)
        self.times.append((version, began, float("inf")))

    def named(self, version: str, moment: float, within: float) -> bool:
        """Whether it named a version at some time within seconds before a moment."""
        return any(
            each == version and since <= moment and moment - within <= until
            for each, since, until in self.times
        )

    async def seconds_until_served(self, version: str, most: float) -> float:
        began = time.monotonic()
        async with httpx.AsyncClient(base_url=self._api, timeout=30) as client:
            while time.monotonic() - began < most:
                if (await client.get("/model")).json()["version"] == version:
                    return time.monotonic() - began
                await asyncio.sleep(0.05)
        raise AssertionError(f"version {version} is not served {most} s after its promotion")


@pytest.fixture
def stack(
    mlflow_server: Mlflow, bundle: Callable[..., Path], request: pytest.FixtureRequest
) -> Iterator[tuple[Api, str, float]]:
    """An API process that serves version 1 of a model that also has a version 2."""
    seconds: float = request.param
    name = f"swap-{seconds}"
    versions = [mlflow_server.register(bundle(letter), name) for letter in LETTERS.values()]
    mlflow_server.move(versions[0], "Production", name)
    api = Api(
        bundle().parent,
        MLFLOW_TRACKING_URI=mlflow_server.uri,
        MODEL_URI=f"models:/{name}/Production",
        POLL_SECONDS=str(seconds),
        LOG_LEVEL="WARNING",
    )
    with api:
        api.wait_ready()
        yield api, name, seconds


async def swap_back_and_forth(
    load: Load, production: Production, poll_seconds: float, times: int, seconds: float
) -> list[float]:
    """Promote 2, 1, 2, ... spread over the seconds; how long each took to be served."""
    took = []
    for number in range(times):
        due = asyncio.create_task(asyncio.sleep(seconds / times))
        version = "21"[number % 2]
        await production.promote(version)
        took.append(await production.seconds_until_served(version, 2 * poll_seconds))
        await due
    return took


def check(load: Load, production: Production, poll_seconds: float) -> None:
    assert {answer.status for answer in load.answers} == {200}
    for answer in load.answers:
        assert answer.text == "aa a".replace("a", LETTERS[answer.version])
        assert production.named(answer.version, answer.began, 2 * poll_seconds)
    assert {answer.version for answer in load.answers} == {"1", "2"}


@pytest.mark.parametrize("stack", [1.0], indirect=True)
async def test_swaps_lose_no_request(stack: tuple[Api, str, float], mlflow_server: Mlflow) -> None:
    api, name, poll_seconds = stack
    load, production = Load(api.uri), Production(mlflow_server, name, api.uri)
    await production.promote("1")
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(load.client())
        took = await swap_back_and_forth(load, production, poll_seconds, 4, 10)
        load.over.set()
    check(load, production, poll_seconds)
    print(f"{len(load.answers)} answers; swaps served after {[round(each, 2) for each in took]} s")


@pytest.mark.slow
@pytest.mark.parametrize("stack", [2.0], indirect=True)
async def test_swaps_a_damaged_version_and_an_outage_lose_no_request(
    stack: tuple[Api, str, float], mlflow_server: Mlflow, bundle: Callable[..., Path]
) -> None:
    api, name, poll_seconds = stack
    load, production = Load(api.uri), Production(mlflow_server, name, api.uri)
    await production.promote("1")
    broken = bundle("c")
    damage(broken)
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(load.client())
        took = await swap_back_and_forth(load, production, poll_seconds, 5, 30)

        # what was named before the damaged version is what keeps answering while it is named
        bad = await asyncio.to_thread(mlflow_server.register, broken, name)
        await asyncio.to_thread(mlflow_server.move, bad, "Production", name)
        await asyncio.sleep(2 * poll_seconds)
        found = (await asyncio.to_thread(httpx.get, f"{api.uri}/model")).json()
        assert found["version"] == "2"
        assert found["reload_error"]["version"] == bad
        await production.promote("2")

        await asyncio.to_thread(mlflow_server.stop)
        await asyncio.sleep(2 * poll_seconds)
        found = (await asyncio.to_thread(httpx.get, f"{api.uri}/health")).json()
        assert found["ready"]
        assert "keeps answering" in found["reasons"][0]
        await asyncio.to_thread(mlflow_server.start)

        await production.promote("1")
        await production.seconds_until_served("1", 2 * poll_seconds)
        took += await swap_back_and_forth(load, production, poll_seconds, 5, 30)
        load.over.set()
    check(load, production, poll_seconds)
    print(f"{len(load.answers)} answers; swaps served after {[round(each, 2) for each in took]} s")
