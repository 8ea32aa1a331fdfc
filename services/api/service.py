"""The parts of one running application, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request

from api.cache import Cache
from api.engine import Asked, Engine
from api.metrics import Metrics
from api.registry import Registry
from api.schemas import AskedDecoder, AskedLevel
from api.serving import Served, Serving
from api.settings import Settings
from api.watcher import Watcher


class Service:
    """What the routes work with."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.serving = Serving(settings.address, settings.poll_seconds)
        self.engine = Engine(settings.threads, settings.max_pixels, self.metrics)
        self.watcher = Watcher(
            self.serving,
            Registry(settings.mlflow_tracking_uri, settings.address),
            Cache(settings.model_cache_dir, settings.mlflow_tracking_uri, settings.model_uri),
            self.metrics,
            threads=settings.threads_inside,
        )

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Follow the registry for as long as the application runs."""
        self.watcher.start()
        yield
        self.watcher.stop()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Parts = Annotated[Service, Depends(_service)]


def _request_id(request: Request) -> str:
    request_id: str = request.state.request_id
    return request_id


RequestId = Annotated[str, Depends(_request_id)]


def _model(request: Request, service: Parts) -> Served:
    """The version this request keeps to its end."""
    model = service.serving.current()
    request.state.model_version = model.version.version
    return model


Model = Annotated[Served, Depends(_model)]


def _asked(
    level: Annotated[
        AskedLevel, Query(description="What the image shows; `word` forbids spaces.")
    ] = "auto",
    decoder: Annotated[
        AskedDecoder,
        Query(
            description="`greedy` is fastest. `beam` reads with the model's language model, "
            "`lexicon` also prefers known words; `/model` says which the version offers."
        ),
    ] = "greedy",
    alternatives: Annotated[
        int, Query(ge=0, le=10, description="How many other texts to give.")
    ] = 0,
) -> Asked:
    return Asked(level, decoder, alternatives)


Options = Annotated[Asked, Depends(_asked)]
