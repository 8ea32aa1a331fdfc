"""Corrections that people save: checked, bounded in size, and removed when their time is over."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread
import structlog
from pydantic import ValidationError

from api.errors import (
    CorrectionsFullError,
    CorrectionsOffError,
    CorrectionsUnavailableError,
    FieldError,
)
from api.schemas import Corrections, KeptCorrection, SavedCorrection
from api.settings import Settings
from corrections.errors import NoSuchCorrectionError, StoreError
from corrections.record import MOST_BYTES, Correction

if TYPE_CHECKING:
    from corrections.store import Entry, Store

log = structlog.get_logger(__name__)

T = TypeVar("T")

MOST_LISTED = 100
KNOWN_SECONDS = 10.0
"""How long a listing is believed: others write to the same place."""
SWEEP_SECONDS = 3600.0
RETRY_SECONDS = 5
TURN_SECONDS = 5.0
THREADS = 4


class Keeper:
    """Where corrections go, if anywhere."""

    def __init__(self, settings: Settings) -> None:
        self._location = settings.corrections_dir
        self._most = settings.corrections_max_bytes
        self._days = settings.corrections_days or None
        self._opened: Store | None = None
        self._bytes = 0
        self._listed_at = -KNOWN_SECONDS
        self._saving = threading.Lock()
        # a place that does not answer must not hold the threads that uploads need
        self._threads = anyio.CapacityLimiter(THREADS)

    async def state(self) -> Corrections:
        """What is kept. Raises `CorrectionsUnavailableError`."""
        entries = await self._do(self._entries) if self._location else []
        return Corrections(
            kept=bool(self._location),
            corrections=len(entries),
            bytes=sum(each.bytes for each in entries),
            most_bytes=self._most,
            days=self._days,
            latest=[
                KeptCorrection(id=each.id, bytes=each.bytes, saved_at=each.saved_at)
                for each in entries[:MOST_LISTED]
            ],
        )

    async def save(self, image: bytes, text: str, size: tuple[int, int]) -> SavedCorrection:
        """Keep a correction of an image of this width and height.

        Args:
            text: the correction as JSON.

        Raises:
            FieldError: it is none, or a line lies outside of the image.
            CorrectionsOffError, CorrectionsFullError, CorrectionsUnavailableError: nothing of it
                is kept.
        """
        self.check_on()

        def save() -> SavedCorrection:
            correction = _parsed(text)
            _check_places(correction, *size)
            # one at a time, or all of many at once would find room for the last of them
            with self._one_saves():
                if time.monotonic() - self._listed_at > KNOWN_SECONDS:
                    self._entries()
                if self._bytes + len(image) > self._most:
                    raise CorrectionsFullError(
                        f"Corrections take {self._bytes} bytes here and may take {self._most}. "
                        "Whoever runs the service can delete some, or raise CORRECTIONS_MAX_BYTES."
                    )
                saved = self._store().save(image, correction)
                self._bytes += saved.bytes
            return SavedCorrection(
                id=saved.record.id,
                lines=len(saved.record.lines),
                new=saved.new,
                saved_at=saved.record.saved_at,
            )

        return await self._do(save)

    @contextmanager
    def _one_saves(self) -> Iterator[None]:
        """Its turn to save; not for ever, where the place does not answer those before."""
        if not self._saving.acquire(timeout=TURN_SECONDS):
            raise CorrectionsUnavailableError(
                "The place for corrections is slow to answer; nothing was changed.",
                retry_after=RETRY_SECONDS,
            )
        try:
            yield
        finally:
            self._saving.release()

    async def delete(self, id: str) -> None:
        """Remove one.

        Raises:
            NoSuchCorrectionError: there is none.
            CorrectionsOffError, CorrectionsUnavailableError: it is not removed.
        """
        self.check_on()
        await self._do(lambda: self._store().delete(id))
        self._listed_at = -KNOWN_SECONDS

    def check_on(self) -> None:
        """Raises `CorrectionsOffError`."""
        if not self._location:
            raise CorrectionsOffError("Corrections are not kept here: CORRECTIONS_DIR is not set.")

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """Remove what is older than it may get, now and every hour."""
        task = asyncio.create_task(self._sweep()) if self._location else None
        yield
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _sweep(self) -> None:
        while True:
            with suppress(CorrectionsUnavailableError):  # it is in the log
                if gone := await self._do(lambda: self._store().expire(self._days)):
                    log.info("corrections removed, as CORRECTIONS_DAYS says", corrections=gone)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._threads)
        except NoSuchCorrectionError:
            raise
        except StoreError as error:
            log.error("corrections are unavailable", reason=str(error))
            raise CorrectionsUnavailableError(
                "The place for corrections does not answer as it should; nothing was changed.",
                retry_after=RETRY_SECONDS,
            ) from error

    def _store(self) -> "Store":
        if self._opened is None:
            # its library is loaded where corrections are kept, and nowhere else
            from corrections.store import Store

            self._opened = Store(self._location)
        return self._opened

    def _entries(self) -> "list[Entry]":
        entries = self._store().entries()
        self._bytes = sum(each.bytes for each in entries)
        self._listed_at = time.monotonic()
        return entries


def _parsed(text: str) -> Correction:
    """The field `correction` of a form. Raises `FieldError`."""
    if len(text) > MOST_BYTES:
        raise FieldError("correction", f"{len(text)} characters, at most {MOST_BYTES} are read.")
    try:
        return Correction.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["correction", *map(str, first["loc"])])
        raise FieldError(where, first["msg"].removeprefix("Value error, ")) from None


def _check_places(correction: Correction, width: int, height: int) -> None:
    for number, line in enumerate(correction.lines):
        left, top, right, bottom = line.box
        corners = [(left, top), (right, bottom), *(line.polygon or ()), *(line.baseline or ())]
        if left >= right or top >= bottom:
            raise FieldError(f"correction.lines.{number}.box", "Left, top, right, bottom.")
        if any(x > width or y > height for x, y in corners):
            raise FieldError(
                f"correction.lines.{number}", f"lies outside of the image of {width} x {height}."
            )
