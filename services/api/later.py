"""Time limits that cost next to nothing where they are kept, as nearly all of them are.

A timer of the event loop for each request, set and taken away again, is a good part of what a
request costs beside its image. All limits of one length run out in the order in which they began:
one timer, for the oldest, does for all.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from types import TracebackType


class Later:
    """`loop.call_later` with the same delay each time. For event loops alone, one after another."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._due: dict[object, tuple[float, Callable[[], None], Context]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def call(self, function: Callable[[], None]) -> object:
        """Call it after the delay, unless `cancel` gets what is returned here."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._timer, self._due = loop, None, {}
        key = object()
        self._due[key] = loop.time() + self.seconds, function, copy_context()
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._look)
        return key

    def cancel(self, key: object) -> None:
        """Forget it; nothing where it has been called."""
        self._due.pop(key, None)

    def _look(self) -> None:
        """Call what is due, and look again when the next is; the timer rests where none waits."""
        assert self._loop
        self._timer = None
        now = self._loop.time()
        while self._due:
            key, (until, function, context) = next(iter(self._due.items()))
            if until > now:
                self._timer = self._loop.call_at(until, self._look)
                return
            del self._due[key]
            try:
                context.run(function)
            except Exception as error:  # no trouble of the others
                told = {"message": "a time limit could not be applied", "exception": error}
                self._loop.call_exception_handler(told)


class Within:
    """`asyncio.timeout` whose time limit is that of a `Later`.

    Raises:
        TimeoutError: the time is over; what was awaited has been cancelled.
    """

    def __init__(self, later: Later) -> None:
        self._later = later
        self._over = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task
        self._task = task
        self._cancelling = task.cancelling()
        self._key = self._later.call(self._end)

    def _end(self) -> None:
        self._over = True
        self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self._later.cancel(self._key)
        # a task that somebody else cancels meanwhile stays cancelled
        if (
            self._over
            and self._task.uncancel() <= self._cancelling
            and (kind is asyncio.CancelledError)
        ):
            raise TimeoutError from error
