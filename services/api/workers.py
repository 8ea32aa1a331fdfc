"""Several processes that answer at one address, and the one that keeps them running.

A process of Python runs one thread at a time outside of the network's own code. What is beside
the network keeps a core busy long before the network fills the others, and so each worker is a
whole application: its connections, its threads, its copy of the network.
"""

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import structlog

from api.board import forget
from api.settings import Settings

log = structlog.get_logger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)
BACKLOG = 2048
CANNOT_LISTEN = 1
"""The exit code where the address is taken, as uvicorn's."""
LEAST_SECONDS = 1.0
"""Between two starts of a worker, where it ends at once every time."""
SHORT_SECONDS = 10.0
"""A worker that lived no longer may not live longer the next time: it counts as not ready."""
LAST_SECONDS = 5.0
"""After the time of accepted requests is over, before a worker that is still there is killed."""


def serve(settings: Settings) -> None:
    """Answer with as many workers as the settings say, until a signal comes."""
    sockets = _listen(settings.api_host, settings.api_port, settings.processes)
    with tempfile.TemporaryDirectory(prefix="handwriting-") as folder:
        # before it is imported: it then keeps its numbers in files there
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        _Workers(settings, sockets, Path(folder)).run()


class _Workers:
    """Starts workers, starts one anew in the place of one that ended, and ends them all.

    Workers are forked from this process, which has imported what they need and has no thread and
    no model: a start takes little time, and what was imported is in memory once.
    """

    def __init__(self, settings: Settings, sockets: Sequence[socket.socket], folder: Path) -> None:
        from api import logs, memory, work  # what they share
        from recognizer import image

        logs.configure(settings.log_level, settings.log_format)
        self._settings = settings
        self._sockets = sockets
        self._folder = folder
        self._work = work.work
        self._context = multiprocessing.get_context("fork")
        self._running: dict[int, tuple[BaseProcess, Connection, float]] = {}
        self._kill_at: float | None = None
        self._due: dict[int, float] = {}  # workers that could not be started, and when to try again
        image.take_turns(folder / "turn")
        memory.look_no_more()

    def run(self) -> None:
        for each in SIGNALS:
            signal.signal(each, self._pass_on)
        for number in range(len(self._sockets)):
            self._start(number)
        log.info(
            "listening", workers=len(self._sockets), address=self._sockets[0].getsockname()[:2]
        )
        while self._running or (self._due and self._kill_at is None):
            wait([process.sentinel for process, _, _ in self._running.values()], timeout=0.2)
            for number, when in list(self._due.items()):
                if time.monotonic() > when:
                    self._start(number)
            for number, (process, _, _) in list(self._running.items()):
                if not process.is_alive():
                    self._ended(number)
            if self._kill_at and time.monotonic() > self._kill_at:
                for worker, _, _ in self._running.values():
                    worker.kill()

    def _pass_on(self, number: int, _: object) -> None:
        """Let the workers finish what they accepted; at the second signal, end at once."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._settings.shutdown_seconds + LAST_SECONDS
            for listener in self._sockets:  # each worker has its own, which it closes
                listener.close()
        for _, orders, _ in self._running.values():
            try:
                orders.send(number)
            except OSError:
                continue  # it has ended

    def _start(self, number: int) -> None:
        """Start a worker, unless a signal has come; one that comes meanwhile waits.

        Where the system has no room for it now, it is tried again: the others go on.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self._due.pop(number, None)
        try:
            if self._kill_at is None:
                self._fork(number)
        except OSError as error:
            log.error("a worker cannot be started", error=str(error))
            self._due[number] = time.monotonic() + LEAST_SECONDS
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _fork(self, number: int) -> None:
        its, orders = self._context.Pipe(duplex=False)
        not_its: list[socket.socket | Connection] = [
            listener for each, listener in enumerate(self._sockets) if each != number
        ]
        not_its += [orders, *(each for _, each, _ in self._running.values())]
        process = self._context.Process(
            target=self._work,
            args=(self._settings, self._folder, number, self._sockets[number], its, not_its),
            name=f"worker-{number}",
        )
        try:
            process.start()
        except OSError:
            orders.close()
            raise
        finally:
            its.close()
        self._running[number] = process, orders, time.monotonic()

    def _ended(self, number: int) -> None:
        from prometheus_client import multiprocess

        process, orders, since = self._running.pop(number)
        process.join()
        orders.close()
        multiprocess.mark_process_dead(number)  # type: ignore[no-untyped-call]
        # one that lived longer goes on to count as ready: its clients wait for its successor, and
        # a 503 of /health/ready would meanwhile send away those of all the others
        if time.monotonic() - since < SHORT_SECONDS:
            forget(self._folder, number)
        if self._kill_at is None:
            log.error("a worker has ended, another takes its place", exit_code=process.exitcode)
            time.sleep(max(0.0, LEAST_SECONDS - (time.monotonic() - since)))
            self._start(number)


def _listen(host: str, port: int, workers: int) -> list[socket.socket]:
    """A socket for each worker: the system shares out connections between them.

    They stay open here, so that connections wait for the one that takes a worker's place.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sockets: list[socket.socket] = []
    try:
        # one that does not share finds out whether somebody else is there
        socket.create_server((host, port), family=family).close()
        for _ in range(workers):
            sockets.append(
                socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=True)
            )
            port = sockets[0].getsockname()[1]
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        print(f"API_HOST={host} API_PORT={port}: {reason}", file=sys.stderr)
        raise SystemExit(CANNOT_LISTEN) from None
    return sockets
