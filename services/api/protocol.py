"""uvicorn's HTTP, where an answer leaves in one piece and the head of a request has limits."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 65_536
"""Of the path and the headers of a request, or of whatever else comes that is no body."""
HEAD_SECONDS = 30.0
"""The most that a head may take to arrive, the first one from the opening of its connection on."""

_TOO_LARGE = b"The head of the request is too large."
_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_TOO_LARGE), _TOO_LARGE)
)


class WholeAnswers(HttpToolsProtocol):
    """Writes each answer once, and closes connections whose requests never begin.

    uvicorn writes the head by itself. That is a second call of the system, at which the event
    loop loses the interpreter's lock to whichever thread reads images, and wakes the client for
    half an answer. And it collects headers without end, and waits for them without end: no key
    and no queue keeps out who sends nothing else.
    """

    _unfinished = 0
    """Bytes that came after the last head that was complete, or the last piece of a body."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Joined(transport, self.loop))  # type: ignore[arg-type]
        self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unfinished += len(data)
        super().data_received(data)
        # most requests come in one piece: they pay for no timer
        if not self._unfinished:
            self._stop_timer()
        elif not self.transport.is_closing():
            if self._unfinished > MOST_HEAD_BYTES:
                self._refuse()
            elif self._timer is None:
                self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def on_message_begin(self) -> None:
        # of one that follows another in the same piece it is not known how much has come
        self._unfinished = self._unfinished or 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        # a piece may hold a small head and much of its body
        if self._unfinished > MOST_HEAD_BYTES and self._head_bytes() > MOST_HEAD_BYTES:
            raise ValueError("too large")  # ends in `send_400_response`
        self._unfinished = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unfinished = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self._unfinished > MOST_HEAD_BYTES:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _head_bytes(self) -> int:
        between = len(b": \r\n")
        return len(self.url) + sum(len(name) + len(value) + between for name, value in self.headers)

    def _refuse(self) -> None:
        self.transport.write(_REFUSAL)
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Joined:
    """A transport that keeps the head of an answer until the first piece of its body.

    A head that has no body leaves at the end of the event loop's turn.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 ") and data.endswith(b"\r\n\r\n"):
            self._flush()
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            head, self._head = self._head, b""
            self._transport.write(head + data if head else data)

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head:
            self._transport.write(head)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
