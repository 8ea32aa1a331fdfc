"""Corrections in a folder or a bucket: one object each, which is there whole or not at all."""

import hashlib
import io
import os
import re
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url
from pydantic import ValidationError

from corrections.errors import NoSuchCorrectionError, StoreError
from corrections.record import Correction, Record

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

SUFFIX = ".zip"
RECORD = "correction.json"
IMAGE = "image"

STALE_SECONDS = 3600
"""What is being written for longer was left behind by a process that is no more."""

# a bucket that is silent is given up on while somebody still waits
_PATIENCE: "ClientConfig" = {"connect_timeout": "3s", "timeout": "5s"}
_RETRIES: "RetryConfig" = {"max_retries": 1, "retry_timeout": timedelta(seconds=10)}

DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, KeyError, ValidationError)
"""What is raised for bytes that are no whole correction; zipfile finds some before their CRC."""

_ID = re.compile(r"[0-9a-f]{64}")
_UNFINISHED = re.compile(r"[0-9a-f]{64}\.zip#\d+")


@dataclass(frozen=True)
class Entry:
    """One correction in the listing."""

    id: str
    bytes: int
    saved_at: datetime


@dataclass(frozen=True)
class Stored:
    """One correction, read."""

    record: Record
    image: bytes
    """The file as it was sent."""


@dataclass(frozen=True)
class Saved:
    """What became of a correction that was to be kept."""

    record: Record
    bytes: int
    """That it takes; 0 where the same was there already."""

    @property
    def new(self) -> bool:
        return self.bytes > 0


class Store:
    """Corrections at one place. Safe to share by threads and by processes.

    Each is a zip file, named by the digest of its content, with the image as it was sent and a
    JSON file. It appears under its name at once when all of it is written, and a folder is told
    to write it to the disk before it counts as saved.
    """

    def __init__(self, location: str) -> None:
        """Open a folder, which is made, or a bucket: `s3://NAME/PREFIX`, `gs://`, `az://`.

        Buckets take their credentials from the environment as the tools of their makers do.

        Raises:
            StoreError: no such kind of place, or the folder cannot be made.
        """
        self._folder = None if "://" in location else Path(location)
        with _reported(f"cannot be opened at {location!r}"):
            if self._folder is None:
                # options given here take the place of this one, which is read there otherwise
                http = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "yes")
                self._objects = from_url(
                    location,
                    client_options={**_PATIENCE, "allow_http": http},
                    retry_config=_RETRIES,
                )
            else:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._objects = LocalStore(self._folder)

    def save(self, image: bytes, correction: Correction) -> Saved:
        """Keep a correction; the same content is kept once.

        Raises:
            StoreError: it cannot be written; nothing of it is kept.
        """
        record = Record(
            **correction.model_dump(),
            image=hashlib.sha256(image).hexdigest(),
            saved_at=datetime.now(UTC),
        )
        key = record.id + SUFFIX
        data = _packed(image, record)
        with _reported("cannot be written"):
            new = True
            try:
                self._objects.put(key, data, mode="create")
            except AlreadyExistsError:
                # with the new time: of several corrections of a line the last one counts. What a
                # power cut has left of it is made whole, too
                self._objects.put(key, data)
                new = False
            if self._folder is not None:
                _sync(self._folder / key)
                _sync(self._folder)
        return Saved(record, len(data) if new else 0)

    def entries(self) -> list[Entry]:
        """All of them, the newest first. Raises `StoreError`."""
        with _reported("cannot be listed"):
            found = [
                Entry(each["path"].removesuffix(SUFFIX), each["size"], each["last_modified"])
                # not what lies below, such as the lost+found of a disk, which nobody may read
                for each in self._objects.list_with_delimiter()["objects"]
                if _ID.fullmatch(each["path"].removesuffix(SUFFIX))
            ]
        return sorted(found, key=lambda each: each.saved_at, reverse=True)

    def read(self, id: str) -> Stored:
        """One of them, checked to be whole.

        Raises:
            NoSuchCorrectionError: there is none of this id.
            StoreError: it cannot be read, or is damaged.
        """
        with _reported("cannot be read"), _known(id):
            data = self._objects.get(id + SUFFIX).bytes()
        try:
            with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
                stored = Stored(
                    Record.model_validate_json(archive.read(RECORD)), archive.read(IMAGE)
                )
        except DAMAGES as error:
            raise StoreError(f"Correction {id} is damaged.") from error
        if (
            stored.record.id != id
            or hashlib.sha256(stored.image).hexdigest() != stored.record.image
        ):
            raise StoreError(f"Correction {id} is damaged.")
        return stored

    def delete(self, id: str) -> None:
        """Remove one, its image with it.

        Raises:
            NoSuchCorrectionError: there is none of this id.
            StoreError: it cannot be removed.
        """
        with _reported("cannot be removed"), _known(id):
            self._objects.head(id + SUFFIX)  # a bucket says nothing where there is none
            self._objects.delete(id + SUFFIX)

    def expire(self, days: float | None) -> int:
        """Remove what was saved longer ago than this many days, and what was never finished.

        Args:
            days: None removes nothing that was finished.

        Returns:
            How many corrections were removed.

        Raises:
            StoreError: they cannot be listed or removed.
        """
        self._sweep()
        if days is None:
            return 0
        last = datetime.now(UTC) - timedelta(days=days)
        old = [each for each in self.entries() if each.saved_at < last]
        for each in old:
            with suppress(NoSuchCorrectionError):  # another process does the same
                self.delete(each.id)
        return len(old)

    def _sweep(self) -> None:
        """Remove what processes that were killed have left half written."""
        if self._folder is None:
            return
        with _reported("cannot be listed"):
            for file in self._folder.iterdir():
                with suppress(FileNotFoundError):
                    age = time.time() - file.stat().st_mtime
                    if _UNFINISHED.fullmatch(file.name) and age > STALE_SECONDS:
                        file.unlink()


def _packed(image: bytes, record: Record) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(IMAGE, image)
        archive.writestr(RECORD, record.model_dump_json(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _sync(path: Path) -> None:
    """Wait until the disk has it: what is acknowledged must outlive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _known(id: str) -> Iterator[None]:
    if not _ID.fullmatch(id):
        raise NoSuchCorrectionError(f"There is no correction {id[:80]!r}.")
    try:
        yield
    except FileNotFoundError:
        raise NoSuchCorrectionError(f"There is no correction {id}.") from None


@contextmanager
def _reported(what: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        reason = str(error).split("\n", 1)[0]  # what follows is for programmers
        raise StoreError(f"Corrections {what}: {reason}") from error
