"""Bundles on disk: what was served last can be served again without the registry."""

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from api.errors import CacheError
from api.serving import Version
from recognizer.manifest import NAME as MANIFEST

STAGING = ".staging-"
STALE_SECONDS = 3600
TOUCH_SECONDS = 24 * 3600
UNUSED_SECONDS = 30 * TOUCH_SECONDS
"""After so long without a process that uses it a record goes, and the bundles it names with it."""

_ENTRY = re.compile(r".+-[0-9a-f]{12}")  # as `Cache._entry` names it


class Record(BaseModel):
    """What an address of a registry last resolved to, and the two newest bundles kept for it."""

    tracking_uri: str
    model_uri: str
    version: Version
    entry: str
    previous: str | None


class Opening(BaseModel):
    """A version that a process began to open, for the so manieth time without an outcome."""

    version: Version
    attempts: int


class Cache:
    """`DIR/NAME/VERSION-DIGEST/` holds a bundle, `DIR/resolved-DIGEST.json` a record.

    `DIR/opening-DIGEST.json` is there while a version is opened for the first time, and stays
    where that ends the process.

    Directories appear and records change by renaming, so that a process that dies half-way
    leaves nothing half done. Several processes may share a cache. All methods that write
    raise `CacheError`.
    """

    def __init__(self, path: Path, tracking_uri: str, model_uri: str) -> None:
        self._path = path
        self._bound_to = (tracking_uri, model_uri)
        digest = _digest(tracking_uri, model_uri)
        self._record = path / f"resolved-{digest}.json"
        self._opening = path / f"opening-{digest}.json"

    def find(self, version: Version) -> Path | None:
        """The bundle of a version, where it is kept. Its files are not checked here."""
        entry = self._path / self._entry(version)
        return entry if entry.is_dir() else None

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A fresh directory to download to; gone afterwards, with all that is still in it."""
        with self._writing():
            self._path.mkdir(parents=True, exist_ok=True)
            path = Path(tempfile.mkdtemp(prefix=STAGING, dir=self._path))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def keep(self, bundle: Path, version: Version) -> None:
        """Move a checked bundle to its place in one step."""
        entry = self._path / self._entry(version)
        with self._writing():
            entry.parent.mkdir(parents=True, exist_ok=True)
            try:
                bundle.rename(entry)
            except OSError:
                if not entry.is_dir():  # else another process brought the same version first
                    raise

    def drop(self, version: Version) -> None:
        with self._writing():
            shutil.rmtree(self._path / self._entry(version))

    def remember(self, version: Version) -> None:
        """Record what the address resolved to, for a start without the registry."""
        entry, before = self._entry(version), self._read()
        previous = before.previous if before and before.entry == entry else None
        if before and before.entry != entry:
            previous = before.entry
        tracking_uri, model_uri = self._bound_to
        record = Record(
            tracking_uri=tracking_uri,
            model_uri=model_uri,
            version=version,
            entry=entry,
            previous=previous,
        )
        self._write(self._record, record)

    def last(self) -> Version | None:
        """What the address resolved to last, by this record; None where there is none."""
        record = self._read()
        self.confirm()
        return record.version if record else None

    def confirm(self) -> None:
        """The record is still in use, if only by a process that has served the same for weeks."""
        with suppress(OSError):
            if _age(self._record) > TOUCH_SECONDS:
                self._record.touch()

    @contextmanager
    def marked(self, version: Version, attempts: int) -> Iterator[None]:
        """Within, a version is opened: whoever finds the mark knows that its process has ended."""
        self._write(self._opening, Opening(version=version, attempts=attempts))
        try:
            yield
        finally:
            self.unmark()

    def unmark(self) -> None:
        with self._writing():
            self._opening.unlink(missing_ok=True)

    def opening(self) -> Opening | None:
        """What was being opened when a process ended; None where there is no such thing."""
        try:
            return Opening.model_validate_json(self._opening.read_bytes())
        except (OSError, ValidationError):
            return None

    def prune(self) -> None:
        """Remove records long unused, bundles that none names, and what dead processes left.

        Whoever points MODEL_CACHE_DIR at a directory that holds something else keeps that.
        """
        for file in self._path.glob("resolved-*.json"):
            with suppress(OSError):
                if _age(file) > UNUSED_SECONDS:
                    file.unlink()
        records = [_parse(file) for file in self._path.glob("resolved-*.json")]
        kept = {name for record in records if record for name in (record.entry, record.previous)}
        for entry in self._path.glob("*/*"):
            if _is_bundle(entry) and _name(entry) not in kept:
                shutil.rmtree(entry, ignore_errors=True)
        for left in self._path.glob(STAGING + "*"):
            with suppress(OSError):
                if _age(left) > STALE_SECONDS:
                    shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _write(self, file: Path, content: BaseModel) -> None:
        with self._writing():
            handle, name = tempfile.mkstemp(prefix=STAGING, dir=self._path)
            temporary = Path(name)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    stream.write(content.model_dump_json(indent=1))
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.replace(file)
            finally:
                temporary.unlink(missing_ok=True)

    def _read(self) -> Record | None:
        record = _parse(self._record)
        bound_to = record and (record.tracking_uri, record.model_uri)
        return record if bound_to == self._bound_to else None

    def _entry(self, version: Version) -> str:
        """Where a version lies below the cache: no other registry's version lies there."""
        digest = _digest(self._bound_to[0], *map(str, version.identity))
        return f"{quote(version.name, safe='')}/{version.version}-{digest}"

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise CacheError(f"MODEL_CACHE_DIR cannot be written: {reason}") from error


def _parse(file: Path) -> Record | None:
    try:
        return Record.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


def _age(file: Path) -> float:
    """Seconds since it was written."""
    return time.time() - file.stat().st_mtime


def _is_bundle(entry: Path) -> bool:
    """Whether this is what `Cache.keep` has put there, by its name and by what it holds."""
    if entry.parent.name.startswith(STAGING) or not _ENTRY.fullmatch(entry.name):
        return False
    return (entry / MANIFEST).is_file()


def _name(entry: Path) -> str:
    return f"{entry.parent.name}/{entry.name}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
