"""Whole pages: lines found, cut out, put in order, and what was read in them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from recognizer.bands import ink_mask
from recognizer.course import CutError
from recognizer.cut import Strip, cut, usual_reach
from recognizer.image import Gray
from recognizer.layout import Line, Points, reading_order
from recognizer.maps import Detector, fit
from recognizer.tracing import trace

LEAST_HEIGHT = 120
"""Pixels; lower images are words or lines."""
MOST_ASPECT = 8.0
"""Width over height; flatter images are lines."""
MOST = 0.5
"""Of the ink of a page its lines hold this share; parts of one large word do not."""
ALONE = 0.6
"""A line higher than this share of its image is the image; a lower one lies on a page."""


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line of a page, and its image."""

    line: Line
    strip: Strip


def find_lines(page: Gray, detector: Detector) -> list[Line]:
    """The lines of a page in reading order, in its pixels.

    Args:
        page: dark ink on light paper, shape (height, width), of any size.
    """
    height, width = page.shape
    lines = [_within(line, width, height) for line in trace(detector.maps(page))]
    return [lines[index] for index in reading_order(lines)]


def cut_lines(
    page: Gray, lines: Sequence[Line], wanted: Callable[[], bool] = lambda: True
) -> list[FoundLine]:
    """The images of the lines of a page. What cannot be cut out is left out.

    Args:
        wanted: asked between two lines; false leaves out those that follow.
    """
    usual = usual_reach(lines, page.shape[0])
    found = []
    for line in lines:
        if not wanted():
            break
        with suppress(CutError):
            found.append(FoundLine(line, cut(page, line, usual)))
    return found


def may_be_page(gray: Gray) -> bool:
    """False for what is surely one word or line: nobody then pays for looking closer."""
    height, width = gray.shape
    return bool(height >= LEAST_HEIGHT and width <= MOST_ASPECT * height)


def is_page(lines: Sequence[Line], page: Gray) -> bool:
    """Whether these lines make the image a page, and not one line or word that fills it."""
    if not lines or _held(lines, page) < MOST:
        return False
    _, top, _, bottom = lines[0].box
    return len(lines) > 1 or bool(bottom - top < ALONE * page.shape[0])


def _held(lines: Sequence[Line], page: Gray) -> float:
    """The share of the page's ink that lies in the boxes of its lines."""
    small, scale = fit(page)
    ink = ink_mask(small)
    held = np.zeros_like(ink)
    for line in lines:
        left, top, right, bottom = (int(value / scale) for value in line.box)
        held[top : bottom + 1, left : right + 1] = True
    return float((ink & held).sum()) / max(int(ink.sum()), 1)


def _within(line: Line, width: int, height: int) -> Line:
    def bounded(points: Points) -> Points:
        return tuple(
            (min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)) for x, y in points
        )

    return Line(bounded(line.polygon), bounded(line.baseline))
