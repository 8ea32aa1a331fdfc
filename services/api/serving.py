"""The version that is served now, and what is known of the registry."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from api import memory
from api.errors import NoModelError
from api.schemas import ModelName, ReloadError
from recognizer.address import Address
from recognizer.prepare import Prepared
from recognizer.recognizer import Recognizer


class Version(BaseModel):
    """What the registry says of one version."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    run_id: str | None
    source: str
    created: int
    tags: dict[str, str] = {}
    metrics: dict[str, float] = {}

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """What tells apart two versions; a registry begun anew counts from 1 again."""
        return self.name, self.version, self.source, self.created


@dataclass(frozen=True)
class Served:
    """A version at work. A request keeps the one it started with."""

    version: Version
    recognizer: Recognizer
    loaded_at: datetime
    from_cache: bool = False

    @property
    def levels(self) -> list[str]:
        levels = self.recognizer.manifest.levels
        return ["auto", *levels, *(["page"] if "line" in levels else [])]

    @property
    def decoders(self) -> list[str]:
        return ["auto", *self.recognizer.decoders]


@dataclass(frozen=True)
class Status:
    """What the last polls of the registry gave."""

    polled_at: datetime | None = None
    registry_error: str | None = None
    waiting_for: str | None = None
    reload_error: ReloadError | None = None
    gate: dict[str, Any] | None = None


@dataclass
class Serving:
    """Written by the watcher alone, by assignment of whole objects; read by every request."""

    address: Address
    poll_seconds: float
    model: Served | None = None
    status: Status = field(default_factory=Status)

    def note(self, **changes: Any) -> None:
        self.status = replace(self.status, **changes)

    def trim(self) -> None:
        """Once nothing is read with the version before: give back what it held."""
        if self.model is not None:
            self.model.recognizer.release_memory()
        memory.trim()

    def current(self) -> Served:
        """The version to answer with. Raises `NoModelError`."""
        model = self.model
        if model is None:
            raise NoModelError(" ".join(self.reasons()), retry_after=self.retry_after)
        return model

    @property
    def retry_after(self) -> int:
        """Seconds after which a model may be there: those until the registry is asked again."""
        return max(1, math.ceil(self.poll_seconds))

    def name_of(self, model: Served) -> ModelName:
        return ModelName(
            name=model.version.name, version=model.version.version, stage=self.address.label
        )

    def reasons(self) -> list[str]:
        """What is not as it should be, a sentence each."""
        status, model = self.status, self.model
        kept = f" Version {model.version.version} keeps answering." if model else ""
        reasons = []
        if status.registry_error:
            reasons.append(status.registry_error + kept)
        elif status.waiting_for:
            reasons.append(status.waiting_for + kept)
        if status.reload_error:
            failed = status.reload_error
            reasons.append(f"Version {failed.version} cannot be served: {failed.error}.{kept}")
        if model is None and not reasons:
            reasons.append("The registry is being asked for a model.")
        return reasons


NARROW = 512
"""Columns, as most words have."""

Open = Callable[[Path], Recognizer]
"""See `open_bundle`."""


def open_bundle(path: Path, *, threads: int, alone_threads: int) -> Recognizer:
    """Check digests, open the network, read the golden images, and once at each narrow width.

    Raises:
        BundleError: see `Recognizer.load`.
    """
    with memory.kept_long():
        recognizer = Recognizer.load(path, threads=threads, alone_threads=alone_threads)
    _warm_up(recognizer)
    return recognizer


def _warm_up(recognizer: Recognizer) -> None:
    """Read nothing at every narrow width once, so that no request pays for the first time.

    That is a millisecond or two, whatever the width: of a wide one it is a small part, and to read
    all of those would be most of what it takes to open a version. That the widest can be read at
    all is among the checks of a bundle.
    """
    spec = recognizer.manifest.input
    for width in [each for each in spec.buckets if each <= NARROW] or spec.buckets[:1]:
        blank = np.zeros((spec.height, width), np.float32)
        for alone in (False, True):
            recognizer.infer([Prepared(blank, scale=1.0, left=spec.margin)], alone=alone)
    recognizer.release_memory()
