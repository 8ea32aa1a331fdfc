"""`uvicorn api.main:app`: the application, composed of its parts."""

from typing import Any

from fastapi import FastAPI

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


def create_app(
    settings: Settings | None = None,
    registry: Registry | None = None,
    board: Board | None = None,
) -> FastAPI:
    """An application of its own: settings, numbers, model and watcher are its alone.

    `registry`, `board`: see `Service`.
    """
    settings = settings or load_settings()
    memory.give_back()
    logs.configure(settings.log_level, settings.log_format)
    service = Service(settings, registry, board)
    app = FastAPI(
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
    app.add_middleware(Direct, path=predict.PATH, function=predict.predict)
    app.add_middleware(Heads)
    app.add_middleware(BodyLimit, max_bytes=settings.max_upload_bytes, paths=others)
    limits = {
        (method, path): others.get(path, settings.max_upload_bytes) for method, path in IMAGES
    }
    app.add_middleware(Door, admission=service.admission, takes=limits)
    if settings.api_keys:
        also_open = frozenset({"/metrics"} if settings.metrics_open else ())
        app.add_middleware(KeyCheck, keys=settings.api_keys, also_open=also_open)
        documentation.ask_for_keys(app, also_open)
    app.add_middleware(Telemetry, metrics=service.metrics, paths=PATHS)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)
    app.add_middleware(SecurityHeaders)
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
