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

    def __init__(self, app: ASGIApp, admission: Admission, paths: Mapping[str, int]) -> None:
        """`paths`: those that take images, and the bytes of images that each takes at most."""
        self._app = app
        self._admission = admission
        self._limits = {path: body_limit(most) for path, most in paths.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._limits.get(path_of(scope)) if scope["type"] == "http" else None
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
