"""Around every request: its id, its log line, its numbers, its limit of bytes."""

import asyncio
import logging
import random
import re
import time

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import logs
from api.errors import TooManyBytesError, answer
from api.later import Later, Within
from api.metrics import Metrics
from api.paths import path_of
from api.uploads import body_limit

REQUEST_ID = "X-Request-ID"
_REQUEST_ID = REQUEST_ID.lower().encode()
BODY_SECONDS = 60.0
"""For a body to come: one that takes longer keeps others from being sent."""
LOG_SECONDS = 0.05
"""After an answer, until its line is written, with those of others."""

log = structlog.get_logger("api.access")

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

# Asked every few seconds by whatever watches the service: told at INFO, they bury the rest.
_PROBES = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})


def _given_id(scope: Scope) -> str | None:
    """The id that the client gave, where it is fit for one."""
    for name, value in scope["headers"]:
        if name == _REQUEST_ID:
            given: str = value.decode("latin-1")
            return given if _ID.fullmatch(given) else None
    return None


def _new_id() -> str:
    # no secret; to ask the system for random bytes would hand the interpreter's lock to another
    return f"{random.getrandbits(128):032x}"


class Telemetry:
    """Request id in and out, one log line and one count a request, and a plain 500.

    The last resort for exceptions stands here and not in a handler of the framework, whose
    answers bypass all middleware and would lack the request id.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: frozenset[str]) -> None:
        """`paths`: those of the application, to count what is refused before it is routed."""
        self._app = app
        self._metrics = metrics
        self._paths = paths
        self._lines: list[tuple[Scope, int, float, float]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = False
        self._log = log.bind()  # else structlog makes a logger anew for each line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, send)
            finally:
                # no timer comes any more, though perhaps the ends of requests that were cut off
                self._ended = True
                self._write()
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _given_id(scope) or _new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_REQUEST_ID, request_id.encode())]
            await send(message)

        # never taken away: the server runs each request in a context of its own
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            log.exception("unexpected error")
            if status:
                raise  # the answer has begun: all that is left is to break it off
            await answer(error, Request(scope))(scope, receive, send_with_id)
        finally:
            self._answered(scope, status, time.perf_counter() - started)

    def _answered(self, scope: Scope, status: int, seconds: float) -> None:
        """A line at once would keep the next request of the same client waiting, or another's."""
        # unknown paths share one label: a scan of the server must not make thousands
        path = path_of(scope)
        unrouted = path if path in self._paths else "unknown"
        route = getattr(scope.get("route"), "path", unrouted)
        self._metrics.answered(scope["method"], route, status, seconds)
        loop = asyncio.get_running_loop()
        if not self._lines or loop is not self._loop:
            self._loop = loop
            loop.call_later(LOG_SECONDS, self._write)
        self._lines.append((scope, status, seconds, time.time()))
        if self._ended:
            self._write()

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        for scope, status, seconds, when in lines:
            path, state = path_of(scope), scope["state"]
            # under overload a line for each refusal would cost more than the refusal
            quiet = path in _PROBES or "refused" in state
            self._log.log(
                logging.DEBUG if quiet else logging.INFO,
                "request",
                request_id=state["request_id"],
                method=scope["method"],
                path=path,
                status=status,
                ms=round(seconds * 1000, 1),
                model_version=state.get("model_version"),
                timestamp=logs.written(when),
                **({"key": state["key"]} if "key" in state else {}),
            )


class Heads:
    """Answers HEAD as GET: the server leaves out the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


class BodyLimit:
    """413 as soon as a body is known to be too long, before it is parsed or kept; 408 if slow.

    Starlette's own limit answers plain text, even over a problem that a handler made.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, paths: dict[str, int]) -> None:
        """`max_bytes`: of images in any request; `paths`: those with another limit."""
        self._app = app
        self._max_bytes = max_bytes
        self._paths = paths
        self._arriving = Later(BODY_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes = self._paths.get(path_of(scope), self._max_bytes)
        limit = body_limit(max_bytes)
        reason = f"The request is too large: at most {max_bytes} bytes of images are read here."
        headers = scope["headers"]
        length = next((value for name, value in headers if name == b"content-length"), b"")
        if length.isdigit() and int(length) > limit:
            await answer(TooManyBytesError(reason), Request(scope))(scope, receive, send)
            return
        received = pieces = 0
        until: float | None = asyncio.get_running_loop().time() + self._arriving.seconds

        async def receive_some() -> Message:
            nonlocal received, pieces, until
            if until is None:
                message = await receive()
            else:
                pieces += 1
                message = await self._in_time(receive, until, first=pieces == 1)
            received += len(message.get("body", b""))
            if not message.get("more_body", False):
                until = None  # only the client's end is waited for
            if received > limit:  # chunked: the length was not told beforehand
                # FastAPI turns any other exception met while it reads a body into a 400
                raise HTTPException(413, reason)
            return message

        await self._app(scope, receive_some, send)

    async def _in_time(self, receive: Receive, until: float, *, first: bool) -> Message:
        try:
            if first:  # and most often the only one
                with Within(self._arriving):
                    return await receive()
            async with asyncio.timeout_at(until):
                return await receive()
        except TimeoutError:
            reason = f"The body of the request did not arrive within {self._arriving.seconds:g} s."
            # what still comes of it is not waited for
            raise HTTPException(408, reason, {"Connection": "close"}) from None
