"""uvicorn with an end in two steps: first no new work, then no more connections."""

import asyncio
import signal
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from types import FrameType

import uvicorn
from fastapi import FastAPI

from api.admission import Admission
from api.protocol import WholeAnswers
from api.service import Service

KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep a connection that rests: they must not send on one that is closing."""
SECONDS_BETWEEN_LOOKS = 0.02
LAST_SECONDS = 1
"""For answers on their way out, and for whatever the time limit cuts off."""


class Server(uvicorn.Server):
    """Finishes what it accepted before it closes.

    From the first signal on `/health/ready` answers 503 and new requests to read are refused
    with a problem, on connections that are still taken; when the last accepted request is
    answered, or the time is over, the server closes. A second signal closes it at once.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        admission: Admission,
        seconds: float,
        orders: Connection | None = None,
    ) -> None:
        """`seconds`: the most that accepted requests get.

        `orders`: where signals come from that another process got; its own are ignored then.
        """
        super().__init__(config)
        config.timeout_graceful_shutdown = LAST_SECONDS
        self._admission = admission
        self._seconds = seconds
        self._orders = orders
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain: asyncio.Task[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if self._orders is None:
            with super().capture_signals():
                yield
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(self._orders.fileno(), self._ordered, self._orders)
        yield
        loop.remove_reader(self._orders.fileno())

    def _ordered(self, orders: Connection) -> None:
        try:
            number = orders.recv()
        except (EOFError, OSError):  # nobody is there any more to answer for
            number = signal.SIGTERM
            asyncio.get_running_loop().remove_reader(orders.fileno())
        self.handle_exit(number, None)

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
        if not self.should_exit:  # else a second signal has come, and uvicorn would count a third
            super().handle_exit(sig, frame)


def server_of(app: FastAPI, orders: Connection | None = None) -> Server:
    """What serves an application as its settings say. `orders`: see `Server`."""
    service: Service = app.state.service
    settings = service.settings
    config = uvicorn.Config(
        app,
        http=WholeAnswers,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `Application` heeds them where it needs them
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    return Server(config, service.admission, settings.shutdown_seconds, orders)
