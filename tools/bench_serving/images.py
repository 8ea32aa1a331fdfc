"""The images that every server is sent: the same files in the same order."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Literal

from PIL import Image

from trainer.datasets.base import Dataset, Sample

Kind = Literal["words", "lines", "mixed"]
KINDS: tuple[Kind, ...] = ("words", "lines", "mixed")


@dataclass(frozen=True)
class Images:
    """PNG files of words and of lines."""

    words: tuple[bytes, ...]
    lines: tuple[bytes, ...]

    @classmethod
    def collect(cls, datasets: Sequence[Dataset], most: int) -> "Images":
        """From their test splits, at most so many of each kind, of each set as many."""
        words: list[list[Sample]] = []
        lines: list[list[Sample]] = []
        for dataset in datasets:
            samples = dataset.samples("test")
            words.append([sample for sample in samples if " " not in sample.text][:most])
            lines.append([sample for sample in samples if " " in sample.text][:most])
        return cls(_files(words, most), _files(lines, most))

    def of(self, kind: Kind) -> list[bytes]:
        """`mixed` has words and lines by turns."""
        if kind == "words":
            return list(self.words)
        if kind == "lines":
            return list(self.lines)
        number = min(len(self.words), len(self.lines))
        return list(chain(*zip(self.words[:number], self.lines[:number], strict=True)))


def _files(sources: list[list[Sample]], most: int) -> tuple[bytes, ...]:
    """One of each source by turns."""
    turns = chain(*zip_longest(*sources))
    return tuple(_png(sample) for sample in list(filter(None, turns))[:most])


def _png(sample: Sample) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(sample.image()).save(stream, "PNG")
    return stream.getvalue()
