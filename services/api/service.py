"""The parts of one running application, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from api import uploads
from api.admission import Admission
from api.cache import Cache
from api.engine import Engine
from api.errors import FieldError, UrlRefusedError
from api.fetch import Fetcher
from api.metrics import Metrics
from api.registry import Registry
from api.remote import RemoteRegistry
from api.schemas import ImageBody
from api.serving import Serving
from api.settings import Settings, cores
from api.watcher import Watcher

LEAST_IMAGES_A_THREAD = 4
"""Accepted however slow the machine is."""


class Service:
    """What the routes work with."""

    def __init__(self, settings: Settings, registry: Registry | None = None) -> None:
        """`registry`: whom to ask; by default a process that asks what the settings name."""
        self.settings = settings
        self.metrics = Metrics()
        self.serving = Serving(settings.address, settings.poll_seconds)
        self.admission = Admission(
            settings.queue_images,
            settings.queue_seconds,
            least=LEAST_IMAGES_A_THREAD * settings.threads,
            metrics=self.metrics,
        )
        self.engine = Engine(
            inferences=settings.threads,
            helpers=cores(),
            max_pixels=settings.max_pixels,
            deadline=settings.request_seconds,
            admission=self.admission,
            metrics=self.metrics,
        )
        self.watcher = Watcher(
            self.serving,
            registry or RemoteRegistry(settings.mlflow_tracking_uri, settings.address),
            Cache(settings.model_cache_dir, settings.mlflow_tracking_uri, settings.model_uri),
            self.metrics,
            threads=settings.threads_inside,
            alone_threads=cores(),
        )

        hosts = settings.image_url_hosts
        self.fetcher = (
            Fetcher(hosts, max_bytes=settings.max_upload_bytes, seconds=settings.image_url_seconds)
            if hosts
            else None
        )

    async def image_at(self, url: str) -> bytes:
        """The image at a URL. Raises `ApiError`; where image URLs are off, for every URL."""
        if self.fetcher is None:
            raise UrlRefusedError("Image URLs are switched off here; send the image itself.")
        return await self.fetcher.fetch(url)

    async def image_of(self, body: ImageBody) -> bytes:
        """The image that a JSON body holds or names. Raises `ApiError`."""
        if len(body.model_fields_set) != 1:
            raise FieldError("body.image", "Send body.image or body.url, one of them.")
        if "url" in body.model_fields_set:
            return await self.image_at(body.url)
        return await uploads.from_text(body.image, max_bytes=self.settings.max_upload_bytes)

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Follow the registry for as long as the application runs."""
        self.watcher.start()
        yield
        self.watcher.stop()
        self.engine.close()


# A coroutine: FastAPI sends any other dependency through a thread of its own.
async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Parts = Annotated[Service, Depends(_service)]
