"""The route of one image: documented and checked by FastAPI, then called without it."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.types import ASGIApp, Receive, Scope, Send

from api.answers import Fields
from api.call import Call, begun
from api.errors import EXPECTED, handle
from api.job import Asked
from api.paths import path_of

MOST_KEPT = 64
LONGEST_KEPT = 100
"""Bytes of a query."""

_asked: dict[bytes, Asked] = {}
"""What FastAPI found that a query asks for: the same query is asked the same way."""


class ReadRoute(APIRoute):
    """For functions that take a `Called` and nothing else. See `Direct`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        whole = super().get_route_handler()

        async def handle_and_keep(request: Request) -> Response:
            response = await whole(request)
            query = request.scope["query_string"]
            if len(_asked) == MOST_KEPT:
                _asked.clear()  # somebody asks anything; what is asked in earnest comes again
            if len(query) <= LONGEST_KEPT:
                _asked[query] = request.state.asked
            return response

        return handle_and_keep


class Direct:
    """Takes requests whose query is known straight to the function of a `ReadRoute`.

    The framework looks for the route of each request, solves anew what its function asks for and
    stacks up ways to end: a good part of the time that a request spends outside of the engine.
    """

    def __init__(
        self, app: ASGIApp, path: str, function: Callable[[Call], Awaitable[Fields]]
    ) -> None:
        """`function`: of the POST route at `path`."""
        self._app = app
        self._path = path
        self._function = function

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = None
        if scope["type"] == "http" and scope["method"] == "POST" and path_of(scope) == self._path:
            asked = _asked.get(scope["query_string"])
        if asked is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            body = to_json(await self._function(begun(request, asked)))
        except EXPECTED as error:
            response = await handle(request, error)
            await response(scope, receive, send)
            return
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
