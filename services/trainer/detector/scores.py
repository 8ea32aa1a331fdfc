"""How well lines are found: precision and recall, a pair matching from an overlap of a half."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from recognizer.layout import Line, Points

LEAST = 0.5
"""Intersection over union of two polygons that are taken for one line."""
FINEST = 1000
"""Pixels of a page's longer side at which areas are counted."""


@dataclass(frozen=True)
class Found:
    """Lines that matched, lines found, and lines that were there, summed over pages."""

    matched: int = 0
    found: int = 0
    wanted: int = 0

    def __add__(self, other: "Found") -> "Found":
        return Found(
            self.matched + other.matched, self.found + other.found, self.wanted + other.wanted
        )

    @property
    def precision(self) -> float:
        return self.matched / self.found if self.found else float(not self.wanted)

    @property
    def recall(self) -> float:
        return self.matched / self.wanted if self.wanted else 1.0

    @property
    def f1(self) -> float:
        return 2 * self.matched / (self.found + self.wanted) if self.found + self.wanted else 1.0


def compare(found: Sequence[Line], wanted: Sequence[Line], shape: tuple[int, int]) -> Found:
    """Match found lines with those of a page, each with one at most.

    Args:
        shape: height and width of the page, in pixels of the lines.
    """
    masks = _masks(found, shape)
    matched = 0
    for mask in _masks(wanted, shape):
        # above a half no polygon can match two others that are apart
        best = max(range(len(masks)), key=lambda index: _overlap(masks[index], mask), default=None)
        if best is not None and _overlap(masks[best], mask) >= LEAST:
            matched += 1
            del masks[best]
    return Found(matched, len(found), len(wanted))


def lie_on(found: Sequence[Line], lines: Sequence[Line], shape: tuple[int, int]) -> list[bool]:
    """Of each found line, whether it matches one of these. `shape`: see `compare`."""
    masks = _masks(lines, shape)
    return [any(_overlap(mask, each) >= LEAST for mask in masks) for each in _masks(found, shape)]


def _masks(lines: Sequence[Line], shape: tuple[int, int]) -> list[NDArray[np.bool_]]:
    scale = min(1.0, FINEST / max(shape))
    size = (int(shape[0] * scale) + 1, int(shape[1] * scale) + 1)
    return [_mask(line.polygon, size, scale) for line in lines]


def _mask(polygon: Points, size: tuple[int, int], scale: float) -> NDArray[np.bool_]:
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.rint(np.array(polygon) * scale).astype(np.int32)], 1)
    return mask.astype(bool)


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    whole = int((one | other).sum())
    return float((one & other).sum()) / whole if whole else 0.0
