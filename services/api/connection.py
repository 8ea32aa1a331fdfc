"""Whether the client is still there."""

import asyncio
from contextlib import suppress
from types import TracebackType

from fastapi import Request
from starlette.exceptions import HTTPException

from api.errors import ClientGoneError
from api.later import Later

WATCHED_AFTER = 0.1
"""Seconds that an answer may take before anybody looks: to look takes longer than it could save."""


class WhileConnected:
    """Cancels what is done herein when the client goes away: nobody would see the answer.

    For after the body has been read.

    Raises:
        ClientGoneError: the client has gone.
    """

    def __init__(self, request: Request, watched: Later) -> None:
        """`watched`: with the delay after which to look."""
        self._request = request
        self._watched = watched
        self._watcher: asyncio.Task[None] | None = None
        self._gone = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task
        self._task = task
        self._key = self._watched.call(self._begin)

    def _begin(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        # a body where none belongs may exceed its limit; it is left unread then
        with suppress(HTTPException):
            while (await self._request.receive())["type"] != "http.disconnect":
                pass
            self._gone = True
            self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self._watched.cancel(self._key)
        if self._watcher:
            self._watcher.cancel()
        if self._gone and kind is asyncio.CancelledError:
            self._task.uncancel()
            raise ClientGoneError("The client closed the connection before the answer.") from None
