"""Other programs as readers of the same images."""

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from PIL import Image

from recognizer.alphabet import normalise
from recognizer.errors import ImageError
from recognizer.image import Gray
from tools.bench_reading.problem import Unavailable
from tools.bench_reading.rapidocr import RapidOcr
from tools.bench_reading.record import Record
from tools.bench_reading.sets import TestSet
from tools.bench_reading.tesseract import Tesseract
from trainer.datasets.base import Sample

ITS_OWN = "its own"


class Engine(Protocol):
    """A program that reads images."""

    name: str

    @property
    def what(self) -> str: ...

    def read(self, images: Sequence[bytes], test: TestSet) -> list[str]:
        """Texts of PNG images. Raises `Unavailable` where it cannot read such a set."""


class Peer:
    """An engine as a reader: the same pixels that a version gets, as PNG."""

    decoder = ITS_OWN

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name = engine.name
        self.what = engine.what

    def read(self, test: TestSet) -> Record:
        """Raises `Unavailable`."""
        usable: list[Sample] = []
        images: list[bytes] = []
        started = time.perf_counter()
        for sample in test.samples:
            try:
                images.append(png(sample.image()))
                usable.append(sample)
            except (ImageError, OSError):
                continue
        texts = self._engine.read(images, test)
        seconds = time.perf_counter() - started
        read = [(sample, normalise(text)) for sample, text in zip(usable, texts, strict=True)]
        return Record.of(self.name, self.decoder, test, read, seconds)


@contextmanager
def peers(folder: Path) -> Iterator[tuple[list[Peer], dict[str, str]]]:
    """The peers that are there, and for each that is not the reason.

    Args:
        folder: where PP-OCR's own environment is, or is made.
    """
    found: list[Peer] = []
    missing: dict[str, str] = {}
    rapid = RapidOcr(folder)
    try:
        try:
            found.append(Peer(Tesseract()))
        except Unavailable as error:
            missing[Tesseract.name] = str(error)
        try:
            rapid.start()
            found.append(Peer(rapid))
        except Unavailable as error:
            missing[RapidOcr.name] = str(error)
        yield found, missing
    finally:
        rapid.stop()


def png(gray: Gray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(gray).save(stream, "PNG")
    return stream.getvalue()
