"""Requests whose query was asked before: they are answered without the framework, and the same."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.routes import read_route
from calls import image, problem


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_route, "_asked", {})


@pytest.fixture
def routed(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that reached the framework's routes."""
    paths: list[str] = []
    middle = app.router.__class__.__call__

    async def through(router: Any, scope: Any, receive: Any, send: Any) -> None:
        paths.append(scope["path"])
        await middle(router, scope, receive, send)

    monkeypatch.setattr(app.router.__class__, "__call__", through)
    return paths


@pytest.mark.parametrize("query", ["", "?decoder=greedy&alternatives=2", "?level=line"])
async def test_the_second_answer_is_the_first(
    client: httpx.AsyncClient, routed: list[str], query: str
) -> None:
    first, second = [await client.post(f"/predict{query}", files=image()) for _ in range(2)]
    assert routed == ["/predict"]
    assert first.status_code == second.status_code == 200
    assert first.headers.keys() == second.headers.keys()
    assert first.headers["content-type"] == second.headers["content-type"]
    one, other = first.json(), second.json()
    assert one.keys() == other.keys()
    for each in (one, other):
        del each["request_id"], each["timing_ms"]
    assert one == other


async def test_what_is_wrong_is_told_the_same(client: httpx.AsyncClient, routed: list[str]) -> None:
    await client.post("/predict", files=image())
    for body, status, name in [
        ({"files": {"image": b"no image"}}, 415, "unsupported-image"),
        ({"files": {"picture": b"x"}}, 422, "invalid-request"),
        ({"json": {}}, 415, "unsupported-body"),
        ({"content": b"x" * 9_000_000}, 413, "too-many-bytes"),
    ]:
        problem(await client.post("/predict", **body), status, name)
    assert routed == ["/predict"]


async def test_only_what_was_right_is_known(client: httpx.AsyncClient, routed: list[str]) -> None:
    for _ in range(2):
        answer = await client.post("/predict?alternatives=99", files=image())
        problem(answer, 422, "invalid-request")
    assert routed == ["/predict"] * 2


async def test_other_methods_and_paths_are_routed(
    client: httpx.AsyncClient, routed: list[str]
) -> None:
    await client.post("/predict", files=image())
    assert (await client.put("/predict")).status_code == 405
    assert (await client.post("/predict/batch", files={"images": b""})).status_code == 200
    assert routed == ["/predict", "/predict", "/predict/batch"]


async def test_few_queries_are_kept(client: httpx.AsyncClient) -> None:
    for number in range(read_route.MOST_KEPT + 10):
        await client.post(f"/predict?unknown={number}", files=image())
    await client.post(f"/predict?unknown={'x' * read_route.LONGEST_KEPT}", files=image())
    assert 1 <= len(read_route._asked) <= read_route.MOST_KEPT
    assert all(len(query) <= read_route.LONGEST_KEPT for query in read_route._asked)


async def test_no_model_is_told(app: FastAPI, client: httpx.AsyncClient) -> None:
    await client.post("/predict", files=image())
    app.state.service.serving.model = None
    problem(await client.post("/predict", files=image()), 503, "no-model")


async def test_it_is_counted_as_its_route(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        await client.post("/predict", files=image())
    text = (await client.get("/metrics")).text
    line = 'handwriting_requests_total{method="POST",route="/predict",status="200"} 2.0'
    assert line in text
