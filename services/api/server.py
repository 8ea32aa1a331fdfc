"""uvicorn with an end in two steps: first no new work, then no more connections."""

import asyncio
import socket
import time
from types import FrameType

import uvicorn

from api.admission import Admission

SECONDS_BETWEEN_LOOKS = 0.02
LAST_SECONDS = 1
"""For answers on their way out, and for whatever the time limit cuts off."""


class Server(uvicorn.Server):
    """Finishes what it accepted before it closes.

    From the first signal on `/health/ready` answers 503 and new requests to read are refused
    with a problem, on connections that are still taken; when the last accepted request is
    answered, or the time is over, the server closes. A second signal closes it at once.
    """

    def __init__(self, config: uvicorn.Config, admission: Admission, seconds: float) -> None:
        """`seconds`: the most that accepted requests get."""
        super().__init__(config)
        config.timeout_graceful_shutdown = LAST_SECONDS
        self._admission = admission
        self._seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain: asyncio.Task[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._admission.draining or self._loop is None:
            super().handle_exit(sig, frame)
            return
        self._admission.draining = True
        self._loop.call_soon_threadsafe(self._start_drain, sig, frame)

    def _start_drain(self, sig: int, frame: FrameType | None) -> None:
        self._drain = asyncio.create_task(self._finish(sig, frame))

    async def _finish(self, sig: int, frame: FrameType | None) -> None:
        deadline = time.monotonic() + self._seconds
        while self._admission.requests and time.monotonic() < deadline:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        super().handle_exit(sig, frame)
