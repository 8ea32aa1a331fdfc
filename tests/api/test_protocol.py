"""The head of an answer and its body, as they leave the server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from api import protocol
from api.protocol import MOST_HEAD_BYTES, WholeAnswers

Application = Callable[[Any, Any, Any], Awaitable[None]]

ASK = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
LENGTH = {b"content-length": b"5"}


class Recording(WholeAnswers):
    """Keeps every piece that is handed to the system."""

    pieces: list[bytes]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Tap(transport, self.pieces))  # type: ignore[arg-type]


class _Tap:
    def __init__(self, transport: asyncio.Transport, pieces: list[bytes]) -> None:
        self._transport = transport
        self._pieces = pieces

    def write(self, data: bytes) -> None:
        self._pieces.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


@contextlib.asynccontextmanager
async def serving(app: Application) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server of `app`: its port, and the pieces that it writes."""
    pieces: list[bytes] = []
    recording = type("RecordingHere", (Recording,), {"pieces": pieces})
    config = uvicorn.Config(
        app, port=0, http=recording, lifespan="off", log_config=None, date_header=False
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1], pieces
    finally:
        server.should_exit = True
        await running


async def ask(port: int, request: bytes = ASK) -> bytes:
    """All that is answered until the server closes or says no more for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = b""
    with contextlib.suppress(TimeoutError):
        while piece := await asyncio.wait_for(reader.read(1 << 20), 0.3):
            answer += piece
    writer.close()
    await writer.wait_closed()
    return answer


def started(headers: dict[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers.items())}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def whole(scope: Any, receive: Any, send: Any) -> None:
    await send(started(LENGTH))
    await send(body(b"hello"))


async def streamed(scope: Any, receive: Any, send: Any) -> None:
    await send(started({}))
    await asyncio.sleep(0.05)  # the client sees the head before there is a body
    await send(body(b"one", more=True))
    await send(body(b"two"))


async def empty(scope: Any, receive: Any, send: Any) -> None:
    await send(started({}, status=204))
    await send(body(b""))


async def like_a_head(scope: Any, receive: Any, send: Any) -> None:
    data = b"HTTP/1.1 no head\r\n\r\n"
    await send(started({b"content-length": str(len(data)).encode()}))
    await send(body(data))


async def breaks(scope: Any, receive: Any, send: Any) -> None:
    await send(started(LENGTH))
    raise RuntimeError("after the head")


@pytest.mark.parametrize(
    ("app", "ends", "pieces"),
    [
        (whole, b"\r\n\r\nhello", 1),
        (streamed, b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", 3),
        (empty, b"\r\n\r\n", 1),
        (like_a_head, b"\r\n\r\nHTTP/1.1 no head\r\n\r\n", 2),
    ],
)
async def test_an_answer_leaves_in_as_few_pieces_as_it_has(
    app: Application, ends: bytes, pieces: int
) -> None:
    async with serving(app) as (port, written):
        answer = await ask(port)
    assert answer.startswith(b"HTTP/1.1 20")
    assert answer.endswith(ends)
    assert answer.count(b"HTTP/1.1 20") == 1
    assert len([piece for piece in written if piece]) == pieces
    assert b"".join(written) == answer


async def test_a_head_without_its_body_is_seen_before_the_connection_closes() -> None:
    async with serving(breaks) as (port, _):
        answer = await ask(port)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n")


async def test_answers_to_requests_sent_at_once_keep_their_order() -> None:
    count = 0

    async def numbered(scope: Any, receive: Any, send: Any) -> None:
        nonlocal count
        count += 1
        data = f"{count:05}".encode()
        await send(started(LENGTH))
        await send(body(data))

    async with serving(numbered) as (port, written):
        answer = await ask(port, ASK * 3)
    assert [answer.index(f"{n:05}".encode()) for n in (1, 2, 3)] == sorted(
        answer.index(f"{n:05}".encode()) for n in (1, 2, 3)
    )
    assert len(written) == 3


async def echo_size(scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message["body"])
        more = message["more_body"]
    data = f"{size:07}".encode()
    await send(started({b"content-length": b"7"}))
    await send(body(data))


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (b"GET /", b""),
        (b"GET / HTTP/1.1\r\nlong: ", b""),
        (b"GET / HTTP/1.1\r\nlong: ", b"\r\n\r\n"),
        (b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 12_000 + b"long: ", b"\r\n\r\n"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nlong: ", b""),
    ],
    ids=["path", "unfinished", "finished", "many headers", "after a body"],
)
async def test_a_head_that_is_too_large_is_refused(begin: bytes, end: bytes) -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serving(never) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begin)
        await asyncio.sleep(0.05)
        # up to the limit nothing happens, and then too little is left for a reset
        writer.write(b"x" * (MOST_HEAD_BYTES - len(begin) - 100))
        await asyncio.sleep(0.05)
        writer.write(b"x" * 250 + end)
        try:
            answer = await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"connection: close" in answer


async def test_a_body_of_any_size_is_no_head() -> None:
    data = bytes(3 * MOST_HEAD_BYTES)
    head = b"POST / HTTP/1.1\r\nHost: here\r\n"
    sized = head + b"content-length: %d\r\n\r\n" % len(data) + data
    tiny = b"1\r\nx\r\n" * 20_000
    chunked = head + b"transfer-encoding: chunked\r\n\r\n" + tiny + b"0\r\n\r\n"
    async with serving(echo_size) as (port, _):
        assert (await ask(port, sized)).endswith(b"%07d" % len(data))
        assert (await ask(port, chunked)).endswith(b"0020000")


@pytest.mark.parametrize("sent", [b"", b"GET / HT"])
async def test_a_connection_without_a_whole_head_is_closed(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    async with serving(whole) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(), 4) == b""
        writer.close()


@pytest.mark.parametrize("sent", [b"\r\n", b"GET / HT"])
async def test_nor_does_one_stay_that_begins_its_next_request_and_goes_no_further(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    async with serving(whole) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK)
        await reader.readuntil(b"hello")
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(), 4) == b""  # uvicorn closes one after 5
        writer.close()


async def test_a_connection_that_has_asked_in_time_rests_for_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    async with serving(whole) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(ASK[:9])
            writer.write(ASK[9:])
            await reader.readuntil(b"hello")
            await asyncio.sleep(0.2)
        writer.close()
