"""Headers on every answer: what a browser must not do with it, and whose scripts may read it."""

import re
from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The content policy of answers that are data; a page brings its own."""

EVERYWHERE = {
    "Content-Security-Policy": NOTHING,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",  # a reading is as private as its image
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_RAW = [(name.lower().encode(), value.encode()) for name, value in EVERYWHERE.items()]


class SecurityHeaders:
    """Adds `EVERYWHERE` to each answer, where the answer has no such header of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                added = [header for header in _RAW if header[0] not in given]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Cors(CORSMiddleware):
    """Lets scripts of other origins call the API and see its answers. Cookies mean nothing here."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["DELETE", "GET", "POST"],
            allow_headers=["Authorization", "X-API-Key", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )


def parse_origins(text: str) -> tuple[str, ...]:
    """Read origins with commas or spaces between them; `*` stands for all.

    Raises:
        ValueError: one has not the form in which browsers send it.
    """
    origins = tuple(each for each in re.split(r"[,\s]+", text) if each)
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"https?://[a-z0-9.\[\]:-]+", origin):
            raise ValueError(f"{origin!r} is no origin; write https://app.example.org, or *")
    return origins
