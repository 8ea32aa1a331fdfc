"""One of the processes that read a corpus. Imports neither MLflow nor Ray nor a framework."""

import math
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from recognizer import image
from recognizer.errors import ImageError
from recognizer.prepare import Prepared, prepare
from recognizer.reading import Reading, Word
from recognizer.recognizer import Recognizer
from trainer.transcription import address
from trainer.transcription.readings import SCHEMA, Reads

AHEAD = 8
"""Files that are fetched and unpacked at a time: those of a bucket take long to come."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """An image that can be read; the pixels themselves are gone."""

    ready: Prepared
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
        found = list(self._pool.map(self._open, paths))
        opened = [each for each in found if isinstance(each, _Opened)]
        # all at once, so that the batches of each width are full
        outputs = iter(self._recognizer.infer([each.ready for each in opened]))
        rows: list[dict[str, Any]] = []
        for path, each in zip(paths, found, strict=True):
            row: dict[str, Any] = {"path": path}
            if isinstance(each, _Opened):
                reading = self._recognizer.interpret(
                    next(outputs), each.ready, width=each.width, decoder=self._reads.decoder
                )
                row |= _read(reading, each.width, each.height)
            else:
                row["error"] = each
            rows.append(row)
        # of a batch, no image has a time of its own
        spent = round(1000 * (time.perf_counter() - started) / max(len(rows), 1), 2)
        constant = {
            "model": self._reads.model,
            "digest": self._reads.digest,
            "decoder": self._reads.decoder,
            "milliseconds": spent,
        }
        return pa.Table.from_pylist([row | constant for row in rows], SCHEMA)

    def _open(self, path: str) -> _Opened | str:
        """The image, ready for the network, or what is wrong with it."""
        try:
            gray = image.decode(address.read(path))
        except (ImageError, OSError) as error:
            return str(error)
        height, width = gray.shape
        return _Opened(prepare(gray, self._recognizer.manifest.input), width, height)


def packed(bundle: Path) -> dict[str, bytes]:
    """The files of a bundle by their paths in it."""
    return {
        file.relative_to(bundle).as_posix(): file.read_bytes()
        for file in sorted(bundle.rglob("*"))
        if file.is_file()
    }


def _read(reading: Reading, width: int, height: int) -> dict[str, Any]:
    """An image of a word or a line has one line, and its box is the whole image: as in the API."""
    confidence = _rounded(reading.confidence)
    line = {
        "box": [0, 0, width, height],
        "text": reading.text,
        "confidence": confidence,
        "words": [_word(word, height) for word in reading.words],
    }
    return {
        "text": reading.text,
        "confidence": confidence,
        "width": width,
        "height": height,
        "lines": [line],
    }


def _word(word: Word, height: int) -> dict[str, Any]:
    return {
        "text": word.text,
        "box": [math.floor(word.left), 0, math.ceil(word.right), height],
        "confidence": _rounded(word.confidence),
    }


def _rounded(confidence: float) -> float:
    # float32 probabilities can sum to a hair above 1
    return round(min(max(confidence, 0.0), 1.0), 4)
