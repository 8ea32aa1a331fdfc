"""Where lines of writing lie on a page, and the order in which they are read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Points = tuple[Point, ...]
Box = tuple[float, float, float, float]

SHARED = 0.1
"""Two lines stand above each other where this share of the narrower one's width is common."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page. Coordinates are (x, y) in those of its page; () where there are none."""

    polygon: Points
    baseline: Points

    @property
    def box(self) -> Box:
        """Left, top, right, bottom of the polygon, or of the baseline where there is none."""
        xs, ys = zip(*(self.polygon or self.baseline), strict=True)
        return min(xs), min(ys), max(xs), max(ys)


def reading_order(lines: Sequence[Line]) -> list[int]:
    """Indices of lines in the order in which they are read, columns from left to right.

    T. M. Breuel, "High Performance Document Layout Analysis", Symposium on Document Image
    Understanding Technology, 2003, section 4: a line comes before one that it stands above; and
    before one to its right, unless a line between the two in height reaches over both, as a
    heading over two columns does. Of those that nothing keeps waiting the highest is next.
    """
    if not lines:
        return []
    before = _before(np.array([line.box for line in lines]))
    middles = [(line.box[1] + line.box[3]) / 2 for line in lines]
    order: list[int] = []
    waiting = before.sum(axis=0)
    left = set(range(len(lines)))
    while left:
        # crossing lines can wait for each other in a circle: then the one that waits for fewest
        following = min(left, key=lambda index: (waiting[index], middles[index]))
        order.append(following)
        left.remove(following)
        waiting -= before[following]
    return order


def _before(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which line (row) has to come before which (column)."""
    lefts, tops, rights, bottoms = boxes.T
    middles, widths = (tops + bottoms) / 2, rights - lefts
    shared = np.minimum(rights[:, None], rights) - np.maximum(lefts[:, None], lefts)
    stacked = shared > SHARED * np.minimum(widths[:, None], widths)
    higher = middles[:, None] < middles
    before = np.where(stacked, higher, lefts[:, None] <= lefts)
    for first in range(len(boxes)):
        # lines that reach over this one and another, and lie between the two in height
        over = stacked[first][:, None] & stacked
        between = (higher[first][:, None] & higher) | (higher[:, first][:, None] & higher.T)
        parted = (over & between).any(axis=0) & ~stacked[first]
        before[first] &= ~parted
    np.fill_diagonal(before, False)
    return np.asarray(before)
