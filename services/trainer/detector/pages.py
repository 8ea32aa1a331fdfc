"""Pages whose lines are known: to learn from, and to measure by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from recognizer import image
from recognizer.image import Gray
from recognizer.layout import Line, Points
from trainer.datasets.base import Dataset, DatasetError, Split
from trainer.datasets.page_layout import read_bytes
from trainer.datasets.page_sample import MAX_PIXELS, PageSample, read_page, scaled

IN_MEMORY = 24


@dataclass(frozen=True)
class Page:
    """A page image, and its lines in reading order, in pixels of it."""

    pixels: Gray
    lines: tuple[Line, ...]
    texts: tuple[str, ...] = ()

    def moved(self, matrix: NDArray[np.float64], size: tuple[int, int], paper: int) -> "Page":
        """The page after an affine map (2, 3), on a sheet of (width, height)."""
        pixels = cv2.warpAffine(
            self.pixels,
            matrix,
            size,
            flags=cv2.INTER_AREA if matrix[0, 0] < 1 else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=paper,
        )
        lines = tuple(
            replace(
                line, polygon=_moved(line.polygon, matrix), baseline=_moved(line.baseline, matrix)
            )
            for line in self.lines
        )
        return Page(np.asarray(pixels, np.uint8), lines, self.texts)


@dataclass(frozen=True)
class PageFile:
    """A page in files: its PAGE XML or ALTO, and its image."""

    xml: Path
    picture: Path

    @property
    def name(self) -> str:
        return self.picture.name

    def open(self) -> Page:
        """Read it, the last few being kept. Raises `ImageError`, `LayoutError`."""
        return _open(self)


def page_files(dataset: Dataset, split: Split) -> list[PageFile]:
    """The pages of a split of a `page` dataset.

    Raises:
        DatasetError: the dataset is of lines, without their pages.
    """
    found: dict[PageFile, None] = {}
    for sample in dataset.samples(split):
        if not isinstance(sample, PageSample):
            raise DatasetError(f"{dataset.name} has no pages: a `page:PATH` dataset does.")
        found[PageFile(sample.xml, sample.picture)] = None
    return list(found)


@lru_cache(maxsize=IN_MEMORY)
def _open(file: PageFile) -> Page:
    pixels = image.decode(file.picture.read_bytes(), max_pixels=MAX_PIXELS)
    found = scaled(read_page(read_bytes(file.xml)), pixels.shape[1], pixels.shape[0])
    lines = [line for line in found.lines if len(line.polygon) > 2 and len(line.baseline) > 1]
    return Page(pixels, tuple(lines), tuple(line.text for line in lines))


def crop(page: Page, side: int, rng: Generator) -> Page:
    """A square of a page: turned a little, larger or smaller, in other light.

    Args:
        side: of the square, in pixels.
    """
    height, width = page.pixels.shape
    spacing = usual_height(page.lines)
    wanted = float(np.exp(rng.uniform(np.log(26), np.log(100)))) if spacing else side / 8
    scale = wanted / (spacing or wanted)
    turn = np.radians(np.clip(rng.normal(0, 2.0), -7, 7))
    shear = rng.normal(0, 0.03)
    matrix = np.array(
        [
            [scale * np.cos(turn), -scale * np.sin(turn) + shear * scale, 0],
            [scale * np.sin(turn), scale * np.cos(turn), 0],
        ]
    )
    # the middle of the square is somewhere on the page
    middle = np.array([rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height])
    matrix[:, 2] = side / 2 - matrix[:, :2] @ middle
    paper = int(np.percentile(page.pixels[::8, ::8], 60))
    around = paper if rng.random() < 0.6 else int(rng.integers(0, 256))
    moved = page.moved(matrix, (side, side), around)
    return replace(moved, pixels=_lit(moved.pixels, rng))


def usual_height(lines: Sequence[Line]) -> float:
    """The median height of the polygons, in pixels; 0 without lines."""
    heights = [line.box[3] - line.box[1] for line in lines]
    return float(np.median(heights)) if heights else 0.0


def _lit(pixels: Gray, rng: Generator) -> Gray:
    """Other exposure, a shadow, a blur, noise."""
    values = pixels.astype(np.float32)
    values = np.float32(255) * (values / np.float32(255)) ** np.float32(np.exp(rng.normal(0, 0.25)))
    if rng.random() < 0.5:
        shade = rng.normal(1, 0.18, (2, 2)).clip(0.5, 1.2).astype(np.float32)
        values *= cv2.resize(shade, pixels.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), rng.uniform(0.4, 1.4)))
    if rng.random() < 0.5:
        values += rng.normal(0, rng.uniform(1, 9), pixels.shape).astype(np.float32)
    return np.clip(values, 0, 255).astype(np.uint8)


def _moved(points: Points, matrix: NDArray[np.float64]) -> Points:
    if not points:
        return ()
    placed = np.array(points) @ matrix[:, :2].T + matrix[:, 2]
    return tuple((float(x), float(y)) for x, y in placed)
