"""Bodies on their way: a bounded number of bytes at a time, and not for ever."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from api import admission, middleware
from api.service import Service
from api.uploads import ONE_PIECE, body_limit, promised
from bundles import bars
from calls import image, problem

HEAD = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
KIND = {"Content-Type": "multipart/form-data; boundary=x"}
MEGABYTE = 1_000_000


@pytest.fixture
def service(app: FastAPI) -> Service:
    found: Service = app.state.service
    return found


@asynccontextmanager
async def uploading(
    client: httpx.AsyncClient, length: int | None, path: str = "/predict"
) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """A client that says how much it will send, where it says that, and sends the rest late."""
    go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield HEAD
        await go_on.wait()
        yield bars("aa") + b"\r\n--x--\r\n"

    headers = KIND if length is None else {**KIND, "Content-Length": str(length)}
    post = asyncio.create_task(client.post(path, content=body(), headers=headers))
    try:
        yield post
    finally:
        go_on.set()
        assert (await post).status_code in (200, 408)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


def test_what_a_request_promises() -> None:
    def found(**headers: str) -> int:
        pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        return promised(pairs, 9 * MEGABYTE)

    assert found(host="api") == 0
    assert found(content_length=str(MEGABYTE)) == MEGABYTE
    assert found(content_length=str(ONE_PIECE)) == 0
    assert found(content_length=str(99 * MEGABYTE)) == 9 * MEGABYTE
    assert found(content_length="many") == 0
    assert found(transfer_encoding="chunked") == 9 * MEGABYTE


async def test_more_than_the_memory_is_for_is_not_let_in_at_a_time(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "MOST_PROMISED", 10 * MEGABYTE)
    chunked = body_limit(4 * MEGABYTE)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(uploading(client, None))
        await stack.enter_async_context(uploading(client, 4 * MEGABYTE))
        await until(lambda: service.admission._promised == chunked + 4 * MEGABYTE)
        large = {"image": bars("aa") + bytes(2 * MEGABYTE)}
        answer = await client.post("/predict", files=large)
        assert "being uploaded" in problem(answer, 503, "overloaded")["detail"]
        assert int(answer.headers["retry-after"]) >= 1
        text = (await client.get("/metrics")).text
        assert 'handwriting_shed_requests_total{reason="uploads"} 1.0' in text.splitlines()
        # a small one fills no memory
        assert (await client.post("/predict", files=image())).status_code == 200
    assert service.admission._promised == 0
    assert (await client.post("/predict", files=large)).status_code == 200


async def test_a_body_that_comes_alone_may_be_of_any_size(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "MOST_PROMISED", MEGABYTE)
    async with uploading(client, 2 * MEGABYTE):
        await asyncio.sleep(0.02)
        assert (await client.post("/predict", files=image())).status_code == 200


@pytest.mark.parametrize("length", [None, 100, 1000, 2 * MEGABYTE])
@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/predict/json"])
async def test_a_body_that_does_not_come_is_waited_for_a_while(
    client: httpx.AsyncClient,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    length: int | None,
    path: str,
) -> None:
    monkeypatch.setattr(middleware, "BODY_SECONDS", 0.2)
    began = time.monotonic()
    async with uploading(client, length, path) as post:
        answer = await post
    assert 0.15 < time.monotonic() - began < 5
    assert "within 0.2 s" in problem(answer, 408, "too-slow")["detail"]
    assert answer.headers["connection"] == "close"
    documented = (await client.get("/openapi.json")).json()["paths"][path]["post"]["responses"]
    assert documented["408"]["content"].keys() == {"application/problem+json"}
    assert (service.admission.requests, service.admission._promised) == (0, 0)


async def test_an_answer_may_take_longer_than_its_body_may(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "BODY_SECONDS", 0.2)
    recognizer = service.serving.current().recognizer
    infer = recognizer.infer

    def slow(*args: object, **kwargs: object) -> object:
        time.sleep(0.5)
        return infer(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(recognizer, "infer", slow)
    large = {"image": bars("aa") + bytes(MEGABYTE)}
    assert (await client.post("/predict", files=large)).json()["text"] == "aa"
