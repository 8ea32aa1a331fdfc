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
    scale = min(1.0, FINEST / max(shape))
    size = (int(shape[0] * scale) + 1, int(shape[1] * scale) + 1)
    masks = [_mask(line.polygon, size, scale) for line in found]
    matched = 0
    for line in wanted:
        mask = _mask(line.polygon, size, scale)
        # above a half no polygon can match two others that are apart
        best = max(range(len(masks)), key=lambda index: _overlap(masks[index], mask), default=None)
        if best is not None and _overlap(masks[best], mask) >= LEAST:
            matched += 1
            del masks[best]
    return Found(matched, len(found), len(wanted))


def _mask(polygon: Points, size: tuple[int, int], scale: float) -> NDArray[np.bool_]:
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.rint(np.array(polygon) * scale).astype(np.int32)], 1)
    return mask.astype(bool)


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    whole = int((one | other).sum())
    return float((one & other).sum()) / whole if whole else 0.0
