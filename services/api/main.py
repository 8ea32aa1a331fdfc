"""`uvicorn api.main:app`: the application, composed of its parts."""

from fastapi import FastAPI

from api import errors, logs
from api.documentation import DESCRIPTION, TAGS
from api.middleware import BodyLimit, Telemetry
from api.routes import PATHS, ROUTERS
from api.service import Service
from api.settings import Settings, load_settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """An application of its own: settings, numbers, model and watcher are its alone."""
    settings = settings or load_settings()
    logs.configure(settings.log_level, settings.log_format)
    service = Service(settings)
    app = FastAPI(
        title="Handwriting",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=service.lifespan,
    )
    app.state.service = service
    errors.add_handlers(app)
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_upload_bytes,
        paths={"/predict/batch": settings.max_batch_bytes},
    )
    app.add_middleware(Telemetry, metrics=service.metrics, paths=PATHS)
    for router in ROUTERS:
        app.include_router(router)
    return app


app = create_app()
