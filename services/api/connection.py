"""Whether the client is still there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import Request
from starlette.exceptions import HTTPException

from api.errors import ClientGoneError

WATCHED_AFTER = 0.1
"""Seconds that an answer may take before anybody looks: to look takes longer than it could save."""


@asynccontextmanager
async def while_connected(request: Request) -> AsyncIterator[None]:
    """Cancel what is done here when the client goes away: nobody would see the answer.

    For after the body has been read.

    Raises:
        ClientGoneError: the client has gone.
    """
    task = asyncio.current_task()
    assert task is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        # a body where none belongs may exceed its limit; it is left unread then
        with suppress(HTTPException):
            while (await request.receive())["type"] != "http.disconnect":
                pass
            gone = True
            task.cancel()

    watcher: asyncio.Task[None] | None = None

    def begin() -> None:
        nonlocal watcher
        watcher = asyncio.create_task(watch())

    beginning = asyncio.get_running_loop().call_later(WATCHED_AFTER, begin)
    try:
        yield
    except asyncio.CancelledError:
        if not gone:
            raise
        task.uncancel()
        raise ClientGoneError("The client closed the connection before the answer.") from None
    finally:
        beginning.cancel()
        if watcher:
            watcher.cancel()
