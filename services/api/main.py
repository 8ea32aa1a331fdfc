"""`uvicorn api.main:app`: the application, composed of its parts."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import documentation, errors, logs, memory
from api.board import Board
from api.documentation import DESCRIPTION, TAGS
from api.door import Door
from api.headers import Cors, SecurityHeaders
from api.keys import KeyCheck
from api.middleware import BodyLimit, Heads, Telemetry
from api.registry import Registry
from api.routes import IMAGES, PATHS, ROUTERS, predict, predict_url
from api.routes.read_route import Direct
from api.service import Service
from api.settings import Settings, load_settings


class Application(FastAPI):
    """FastAPI with middleware around it, not inside.

    What is answered there, as most requests to read are, does not pass the layers that FastAPI,
    Starlette and uvicorn put around every application.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._around: list[Callable[[ASGIApp], ASGIApp]] = []
        self._outermost: ASGIApp | None = None

    def surround(self, middleware: Callable[..., ASGIApp], **options: Any) -> None:
        """Put one more around all that is there, before the first call."""
        self._around.append(partial(middleware, **options))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        if self._outermost is None:
            self._outermost = self._surrounded()
        await self._outermost(scope, receive, send)

    def _surrounded(self) -> ASGIApp:
        # as uvicorn does by itself: redirects need the scheme by which a client came to a proxy
        trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
        app = cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, super().__call__), trusted))
        for middleware in self._around:
            app = middleware(app)
        return app


def create_app(
    settings: Settings | None = None,
    registry: Registry | None = None,
    board: Board | None = None,
) -> Application:
    """An application of its own: settings, numbers, model and watcher are its alone.

    `registry`, `board`: see `Service`.
    """
    settings = settings or load_settings()
    memory.give_back()
    logs.configure(settings.log_level, settings.log_format)
    service = Service(settings, registry, board)
    app = Application(
        title="Handwriting",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,  # `routes.docs` serves them, without the internet
        redoc_url=None,
        lifespan=service.lifespan,
        # `Telemetry` counts and logs; asking each time whether OpenTelemetry does costs a little
        telemetry={"metrics": False, "logs": False},
    )
    app.state.service = service
    errors.add_handlers(app)
    others = {"/predict/batch": settings.max_batch_bytes}
    app.surround(Direct, path=predict.PATH, function=predict.predict)
    app.surround(Heads)
    app.surround(BodyLimit, max_bytes=settings.max_upload_bytes, paths=others)
    limits = {
        (method, path): others.get(path, settings.max_upload_bytes) for method, path in IMAGES
    }
    app.surround(Door, admission=service.admission, takes=limits)
    if settings.api_keys:
        also_open = frozenset({"/metrics"} if settings.metrics_open else ())
        app.surround(KeyCheck, keys=settings.api_keys, also_open=also_open)
        documentation.ask_for_keys(app, also_open)
    app.surround(Telemetry, metrics=service.metrics, paths=PATHS)
    if settings.cors_origins:
        app.surround(Cors, origins=settings.cors_origins)
    app.surround(SecurityHeaders)
    for router in ROUTERS:
        if router is not predict_url.router or settings.image_url_hosts:
            app.include_router(router)
    return app


def __getattr__(name: str) -> Any:
    """`app`, made when uvicorn asks for it: the workers of `python -m api` make their own."""
    if name != "app":
        raise AttributeError(name)
    app = globals()["app"] = create_app()
    return app
