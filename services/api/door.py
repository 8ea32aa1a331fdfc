"""Before a request to read is parsed: whether it may come in."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.admission import Admission
from api.errors import UnavailableError, answer
from api.paths import path_of
from api.uploads import body_limit, promised


class Door:
    """Refuses requests while too many images wait or arrive, before their bodies are read.

    A refusal must cost next to nothing: under overload most requests end in one.
    """

    def __init__(
        self, app: ASGIApp, admission: Admission, takes: Mapping[tuple[str, str], int]
    ) -> None:
        """`takes`: the methods and paths that take images, and the most bytes of them for each."""
        self._app = app
        self._admission = admission
        self._limits = {route: body_limit(most) for route, most in takes.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._limits.get(_route(scope)) if scope["type"] == "http" else None
        if limit is None:
            await self._app(scope, receive, send)
            return
        try:
            body = promised(scope["headers"], limit)
            self._admission.check(body)
        except UnavailableError as error:
            scope.setdefault("state", {})["refused"] = True
            await answer(error, Request(scope))(scope, receive, send)
            return
        with self._admission.request(body):
            await self._app(scope, receive, send)


def _route(scope: Scope) -> tuple[str, str]:
    """A HEAD does all that the GET does."""
    method: str = scope["method"]
    return "GET" if method == "HEAD" else method, path_of(scope)
