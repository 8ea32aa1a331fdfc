"""One of the processes that read a corpus. Imports neither MLflow nor Ray nor a framework."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from recognizer import image
from recognizer.decode import LogProbs
from recognizer.errors import ImageError
from recognizer.image import Gray
from recognizer.page import FoundLine
from recognizer.placing import PlacedLine, placed, rounded
from recognizer.prepare import Prepared, prepare
from recognizer.reading import joint_confidence
from recognizer.recognizer import Recognizer
from trainer.transcription import address
from trainer.transcription.readings import SCHEMA, Reads

AHEAD = 8
"""Files that are fetched and unpacked at a time: those of a bucket take long to come."""
MOST_LINES = 256
"""Lines that may wait for the network: each takes a third of a megabyte, and a page has dozens."""


@dataclass(frozen=True, slots=True)
class _Strip:
    """A line, ready for the network; `found` says where on its page, None where it is the image."""

    ready: Prepared
    width: int
    found: FoundLine | None


@dataclass(frozen=True, slots=True)
class _Opened:
    """An image that can be read; its pixels are gone, but for the lines of a page."""

    strips: list[_Strip]
    width: int
    height: int


class Reader:
    """Reads blocks of images with one thread, as an actor of Ray Data."""

    def __init__(self, bundle: Mapping[str, bytes], reads: Reads) -> None:
        """Open the network.

        Args:
            bundle: the bundle's files by their paths in it, as `packed` gives them: the machine
                that reads may be another than the one that has the bundle.

        Raises:
            BundleError: it cannot be opened or read with here.
        """
        with tempfile.TemporaryDirectory() as folder:
            for name, data in bundle.items():
                file = Path(folder) / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            self._recognizer = Recognizer.load(Path(folder), threads=1)
        self._reads = reads
        self._pool = ThreadPoolExecutor(AHEAD)

    def __call__(self, block: pa.Table) -> pa.Table:
        """Read the images of the column `path`.

        Returns:
            A row each, in their order, with the columns of `SCHEMA`: with a text, or with an error.
        """
        started = time.perf_counter()
        paths = block["path"].to_pylist()
        rows: list[dict[str, Any]] = []
        waiting: list[_Opened | str] = []
        lines = 0
        for first in range(0, len(paths), AHEAD):
            for gray in self._pool.map(_decoded, paths[first : first + AHEAD]):
                opened = gray if isinstance(gray, str) else self._opened(gray)
                waiting.append(opened)
                lines += len(opened.strips) if isinstance(opened, _Opened) else 0
                # as many as there are, so that the batches of each width are full; pages hold many
                if lines >= MOST_LINES:
                    rows += self._rows(waiting)
                    waiting.clear()
                    lines = 0
        rows += self._rows(waiting)
        for row, path in zip(rows, paths, strict=True):
            row["path"] = path
        # of a batch, no image has a time of its own
        spent = round(1000 * (time.perf_counter() - started) / max(len(rows), 1), 2)
        constant = {
            "model": self._reads.model,
            "digest": self._reads.digest,
            "decoder": self._reads.decoder,
            "milliseconds": spent,
        }
        return pa.Table.from_pylist([row | constant for row in rows], SCHEMA)

    def _rows(self, found: list[_Opened | str]) -> list[dict[str, Any]]:
        """What images say, or what is wrong with them."""
        opened = [each for each in found if isinstance(each, _Opened)]
        strips = [strip for each in opened for strip in each.strips]
        outputs = iter(self._recognizer.infer([strip.ready for strip in strips]))
        return [
            self._read(each, outputs) if isinstance(each, _Opened) else {"error": each}
            for each in found
        ]

    def _read(self, opened: _Opened, outputs: Iterator[LogProbs]) -> dict[str, Any]:
        """A row of what the network says of an image's lines, which are next in `outputs`."""
        readings = [
            self._recognizer.interpret(
                next(outputs), strip.ready, width=strip.width, decoder=self._reads.decoder
            )
            for strip in opened.strips
        ]
        lines = [
            placed(reading, strip.found, opened.width, opened.height)
            for reading, strip in zip(readings, opened.strips, strict=True)
        ]
        return {
            "text": "\n".join(line.text for line in lines),
            "confidence": rounded(joint_confidence(readings)),
            "width": opened.width,
            "height": opened.height,
            "lines": [_line(line) for line in lines],
        }

    def _opened(self, gray: Gray) -> _Opened | str:
        """The lines of an image, ready for the network; or why they cannot be found."""
        height, width = gray.shape
        try:
            lines = self._recognizer.page_lines(gray)
        except Exception as error:  # one image among millions shall not end the reading of all
            return f"Its lines cannot be found: {error}"
        if lines is None:
            return _Opened([self._strip(gray, None)], width, height)
        return _Opened([self._strip(each.strip.pixels, each) for each in lines], width, height)

    def _strip(self, gray: Gray, found: FoundLine | None) -> _Strip:
        return _Strip(prepare(gray, self._recognizer.manifest.input), gray.shape[1], found)


def _decoded(path: str) -> Gray | str:
    """The pixels of an image, or what is wrong with it."""
    try:
        return image.decode(address.read(path))
    except (ImageError, OSError) as error:
        return str(error)


def packed(bundle: Path) -> dict[str, bytes]:
    """The files of a bundle by their paths in it."""
    return {
        file.relative_to(bundle).as_posix(): file.read_bytes()
        for file in sorted(bundle.rglob("*"))
        if file.is_file()
    }


def _line(line: PlacedLine) -> dict[str, Any]:
    return {
        "box": line.box,
        "polygon": line.polygon,
        "baseline": line.baseline or None,
        "text": line.text,
        "confidence": line.confidence,
        "words": [word._asdict() for word in line.words],
    }
