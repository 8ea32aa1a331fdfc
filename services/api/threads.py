"""Threads that do what they are given, in its order."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import structlog

log = structlog.get_logger(__name__)

NO_THREAD = (RuntimeError, MemoryError)
"""What is raised where the system has no room for another thread, or allows none."""


class Threads:
    """`ThreadPoolExecutor` for calls whose outcome goes elsewhere.

    An executor makes a future with a lock for each call, which costs a fair part of what it takes
    to prepare a word. Here too a thread is started where none rests, so that images that come one
    after another find the same one, and what it used last is still in the processor's caches.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._calls: SimpleQueue[tuple[Callable[..., None], Any] | None] = SimpleQueue()
        self._started: list[threading.Thread] = []
        self._starting = threading.Lock()
        # one entry for each thread that rests: to append is atomic, to count is not
        self._resting: deque[None] = deque()

    def submit(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call it in one of the threads; what it raises is logged.

        Raises what starting a thread raises, where there is none yet: then it is not called.
        """
        if len(self._started) < self._most:
            with self._starting:
                self._find_one()
        self._calls.put((function, arguments))

    def _find_one(self) -> None:
        if self._resting:
            self._resting.pop()
        elif len(self._started) < self._most:
            try:
                self._start_one()
            except NO_THREAD as error:
                if not self._started:
                    raise
                log.warning("thread not started", error=str(error))  # one of the others calls it

    def _start_one(self) -> None:
        name = f"{self._name}_{len(self._started)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        thread.start()
        self._started.append(thread)

    def close(self, seconds: float = 1.0) -> None:
        """Begin nothing more, and wait so long for what is under way.

        The interpreter does not: it would end under a thread that is inside a library.
        """
        with suppress(Empty):
            while True:
                self._calls.get_nowait()
        for _ in self._started:
            self._calls.put(None)
        until = time.monotonic() + seconds
        for thread in self._started:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while call := self._calls.get():
            function, arguments = call
            try:
                function(*arguments)
            except Exception:
                log.exception("unexpected error")
            del call, function, arguments  # they would live until the next call comes
            if len(self._started) < self._most:
                self._resting.append(None)
