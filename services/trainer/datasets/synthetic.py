"""Words and lines written with handwriting fonts: a dataset that needs no download."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from recognizer.image import Gray
from trainer.datasets import fonts, prose
from trainer.datasets.base import SPLITS, DatasetError, Sample, Split

Levels = Literal["word", "line", "both"]

WORDS_OF_BOTH = 0.35  # share of single words at level `both`
OVERSAMPLED = 2  # drawn larger and scaled down: strokes of less than a pixel come out right


@dataclass(frozen=True, slots=True)
class SyntheticSample:
    """A text, the font that writes it, and the seed of everything else about its image."""

    id: str
    text: str
    font: Path
    seed: tuple[int, ...]

    @property
    def document(self) -> str:
        return self.font.stem

    def image(self) -> Gray:
        return render(self.text, self.font, np.random.default_rng(self.seed))


class SyntheticDataset:
    """Seeded: the same seed and sizes give the same texts and images everywhere.

    Validation and test are written with fonts that training never sees.
    """

    name = "synthetic"
    licence = (
        "synthetic: rendered from fonts under the SIL Open Font License 1.1; word "
        "frequencies from wordfreq (CC BY-SA 4.0)"
    )

    def __init__(
        self,
        *,
        train: int = 20_000,
        val: int = 300,
        test: int = 300,
        level: Levels = "both",
        seed: int = 1,
    ) -> None:
        """Choose texts and fonts; images are drawn when they are asked for.

        Raises:
            DatasetError: a size is negative, or a font package is missing.
        """
        if min(train, val, test) < 0:
            raise DatasetError("A split of the synthetic dataset cannot be smaller than 0.")
        sizes: dict[Split, int] = {"train": train, "val": val, "test": test}
        self._samples: dict[Split, list[Sample]] = {}
        for number, split in enumerate(SPLITS):
            rng = np.random.default_rng((seed, number))
            self._samples[split] = [
                self._sample(split, (seed, number, index), level, rng)
                for index in range(sizes[split])
            ]

    @property
    def skipped(self) -> Mapping[str, int]:
        return {}

    def samples(self, split: Split) -> Sequence[Sample]:
        return self._samples[split]

    @staticmethod
    def _sample(split: Split, seed: tuple[int, ...], level: Levels, rng: Generator) -> Sample:
        single = level == "word" or (level == "both" and rng.random() < WORDS_OF_BOTH)
        text = prose.word(rng) if single else prose.line(rng)
        choices = fonts.files(split)
        font = choices[int(rng.integers(len(choices)))]
        return SyntheticSample(f"synthetic/{split}/{seed[-1]:06d}", text, font, seed)


def render(text: str, font: Path, rng: Generator) -> Gray:
    """Draw a text as a pen would on some paper.

    Args:
        font: file of the font.
        rng: where size, slant, spacing, drift, ink and paper come from.

    Returns:
        Gray image, about 50 to 100 pixels high.
    """
    size = int(rng.integers(34, 60)) * OVERSAMPLED
    face = fonts.load(font, size)
    gap = face.getlength(" ") * rng.uniform(0.8, 1.6)
    ascent, descent = face.getmetrics()
    words = text.split(" ")
    widths = [face.getlength(word) for word in words]
    pad = size
    width = int(sum(widths) + gap * (len(words) - 1)) + 2 * pad
    height = ascent + descent + 2 * pad
    image = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(image)
    stroke = rng.uniform(0, 1.2)
    x = float(pad)
    drift = rng.uniform(-0.012, 0.012)
    for word, advance in zip(words, widths, strict=True):
        y = pad + drift * (x - width / 2) + rng.normal(0, size * 0.015)
        pen.text((x, y), word, fill=255, font=face, stroke_width=stroke)
        x += advance + gap * rng.uniform(0.85, 1.2)
    ink = np.asarray(image)
    if rng.random() < 0.5:
        ink = _slant(ink, rng.normal(0, 0.12))
    ink = _crop(ink, size, rng)
    small = (max(8, ink.shape[1] // OVERSAMPLED), max(8, ink.shape[0] // OVERSAMPLED))
    ink = np.asarray(cv2.resize(ink, small, interpolation=cv2.INTER_AREA), np.uint8)
    return _on_paper(ink, rng)


def _slant(ink: Gray, slope: float) -> Gray:
    height, width = ink.shape
    matrix = np.array([[1, slope, -slope * height / 2], [0, 1, 0]], np.float32)
    return np.asarray(cv2.warpAffine(ink, matrix, (width, height)), np.uint8)


def _crop(ink: Gray, size: int, rng: Generator) -> Gray:
    """Round the ink, as a line finder would cut it: sometimes tight, sometimes generous."""
    rows, columns = (np.flatnonzero(ink.max(axis=axis) > 32) for axis in (1, 0))
    if not len(rows):
        return ink
    above, below, left, right = (int(size * share) for share in rng.uniform(0.02, 0.3, 4))
    return ink[
        max(rows[0] - above, 0) : rows[-1] + 1 + below,
        max(columns[0] - left, 0) : columns[-1] + 1 + right,
    ]


def _on_paper(ink: Gray, rng: Generator) -> Gray:
    """Lay ink (0 none to 255 full) on paper with grain, at times with ruled lines."""
    height = ink.shape[0]
    tone = rng.uniform(200, 255)
    paper = np.full(ink.shape, tone, np.float32)
    paper += rng.normal(0, rng.uniform(0.5, 5), ink.shape)
    if rng.random() < 0.2:
        ruled = int(height * rng.uniform(0.65, 0.9))
        paper[ruled : ruled + max(1, height // 48)] -= rng.uniform(15, 70)
    strength = ink.astype(np.float32) / 255 * rng.uniform(0.75, 1.0)
    pen = rng.uniform(0, 90)
    return np.clip(paper * (1 - strength) + pen * strength, 0, 255).astype(np.uint8)
