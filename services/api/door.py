"""Before a request to read is parsed: whether it may come in."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.admission import Admission
from api.errors import UnavailableError, answer


class Door:
    """Refuses requests while too many images wait, before their bodies are read or parsed.

    A refusal must cost next to nothing: under overload most requests end in one.
    """

    def __init__(self, app: ASGIApp, admission: Admission, paths: frozenset[str]) -> None:
        """`paths`: those that take images."""
        self._app = app
        self._admission = admission
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        try:
            self._admission.check()
        except UnavailableError as error:
            scope.setdefault("state", {})["refused"] = True
            await answer(error, Request(scope))(scope, receive, send)
            return
        with self._admission.request():
            await self._app(scope, receive, send)
