"""Whole pages: lines found, cut out, put in order, and what was read in them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from recognizer.cut import CutError, Strip, cut, usual_reach
from recognizer.image import Gray
from recognizer.layout import Line, Points, reading_order
from recognizer.maps import Detector
from recognizer.tracing import trace

LEAST_HEIGHT = 120
"""Pixels; lower images are words or lines."""
MOST_ASPECT = 8.0
"""Width over height; flatter images are lines."""
ALONE = 0.6
"""A line higher than this share of its image is the image; a lower one lies on a page."""


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line of a page, and its image."""

    line: Line
    strip: Strip


def find_lines(page: Gray, detector: Detector) -> list[FoundLine]:
    """The lines of a page in reading order. What cannot be cut out is left out.

    Args:
        page: dark ink on light paper, shape (height, width), of any size.
    """
    height, width = page.shape
    lines = [_within(line, width, height) for line in trace(detector.maps(page))]
    usual = usual_reach(lines, height)
    found = []
    for index in reading_order(lines):
        with suppress(CutError):
            found.append(FoundLine(lines[index], cut(page, lines[index], usual)))
    return found


def may_be_page(gray: Gray) -> bool:
    """False for what is surely one word or line: nobody then pays for looking closer."""
    height, width = gray.shape
    return bool(height >= LEAST_HEIGHT and width <= MOST_ASPECT * height)


def is_page(found: Sequence[FoundLine], page: Gray) -> bool:
    """Whether these lines make the image a page, and not one line that fills it."""
    if len(found) != 1:
        return len(found) > 1
    _, top, _, bottom = found[0].line.box
    return bool(bottom - top < ALONE * page.shape[0])


def _within(line: Line, width: int, height: int) -> Line:
    def bounded(points: Points) -> Points:
        return tuple(
            (min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)) for x, y in points
        )

    return Line(bounded(line.polygon), bounded(line.baseline))
