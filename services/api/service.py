"""The parts of one running application, put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, FastAPI, Request

from api import uploads
from api.admission import Admission
from api.board import Board
from api.cache import Cache
from api.connection import WATCHED_AFTER
from api.cores import cores
from api.corrections import Keeper
from api.engine import Engine
from api.errors import FieldError, UrlRefusedError
from api.follower import Follower
from api.later import Later
from api.metrics import Metrics
from api.registry import Registry
from api.remote import RemoteRegistry
from api.schemas import ImageBody
from api.serving import Open, Serving, open_bundle
from api.settings import Settings
from api.stages import Stages
from api.watcher import Watcher
from recognizer.recognizer import Recognizer

if TYPE_CHECKING:
    from api.fetch import Fetcher

LEAST_IMAGES_A_THREAD = 4
"""Accepted however slow the machine is."""
SECONDS_BETWEEN_LOOKS = 0.02
MOST_START_SECONDS = 30.0


class Service:
    """What the routes work with."""

    def __init__(
        self, settings: Settings, registry: Registry | None = None, board: Board | None = None
    ) -> None:
        """`registry`: whom to ask; by default a process that asks what the settings name.

        `board`: where this is one of several workers; the first of them asks the registry.
        """
        self.settings = settings
        self.board = board
        share = settings.share(board.workers if board else 1)
        self.metrics = Metrics(board.pids if board else None)
        self.serving = Serving(settings.address, settings.poll_seconds)
        self.admission = Admission(
            share.queue_images,
            settings.queue_seconds,
            least=LEAST_IMAGES_A_THREAD * share.threads,
            metrics=self.metrics,
        )
        stages = Stages(
            inferences=share.threads,
            helpers=cores(),
            max_pixels=settings.max_pixels,
            metrics=self.metrics,
        )
        self.engine = Engine(stages, deadline=settings.request_seconds, admission=self.admission)
        self.watched = Later(WATCHED_AFTER)
        """For clients that may have gone, see `connection`."""
        self.watcher = self._watcher(
            registry,
            Cache(settings.model_cache_dir, settings.mlflow_tracking_uri, settings.model_uri),
            partial(self._opened, threads=share.threads_inside),
        )
        self.keeper = Keeper(settings)
        self.fetcher = self._fetcher()

    def _watcher(self, registry: Registry | None, cache: Cache, opened: Open) -> Watcher | Follower:
        if self.board and not self.board.leads:
            return Follower(self.serving, self.board, cache, self.metrics, opened)
        settings = self.settings
        registry = registry or RemoteRegistry(settings.mlflow_tracking_uri, settings.address)
        tell = self.board.tell if self.board else lambda serving: None
        return Watcher(self.serving, registry, cache, self.metrics, opened, tell)

    def _fetcher(self) -> "Fetcher | None":
        settings = self.settings
        if not settings.image_url_hosts:
            return None
        from api.fetch import Fetcher  # few need it, and a start need not wait for it

        return Fetcher(
            settings.image_url_hosts,
            max_bytes=settings.max_upload_bytes,
            seconds=settings.image_url_seconds,
        )

    def _opened(self, path: Path, *, threads: int) -> Recognizer:
        """In the watcher's thread, while others read."""
        with self.admission.slowed():
            return open_bundle(path, threads=threads, alone_threads=cores())

    @property
    def ready(self) -> bool:
        """Whether an image would be read, whichever worker it came to."""
        return self.serving.model is not None and (self.board is None or self.board.all_serve)

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
        if self.board:
            await self._can_read(self.board)
        async with self.metrics.counting(), self.keeper.sweeping():
            yield
        self.watcher.stop()
        self.engine.close()

    async def _can_read(self, board: Board) -> None:
        """Wait for a model where others have one: who takes a dead one's place gets its clients."""
        with suppress(TimeoutError):
            async with asyncio.timeout(MOST_START_SECONDS):
                while board.some_serve and not (self.serving.model or self.admission.draining):
                    await asyncio.sleep(SECONDS_BETWEEN_LOOKS)


# A coroutine: FastAPI sends any other dependency through a thread of its own.
async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Parts = Annotated[Service, Depends(_service)]
