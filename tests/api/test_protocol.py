"""The head of an answer and its body, as they leave the server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from api.protocol import WholeAnswers

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
