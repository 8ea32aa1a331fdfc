"""Readings and where they stand on their image: what answers and files tell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from recognizer.layout import Point, Points
from recognizer.page import FoundLine
from recognizer.reading import Reading, Word

Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


class PlacedWord(NamedTuple):
    """A word of a line. Coordinates, here and below, are pixels of the upright image."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line: its outline, and what it says."""

    text: str
    confidence: float
    polygon: Points
    words: Sequence[PlacedWord] = ()
    baseline: Points = ()
    """From left to right; empty where it is not known."""

    @property
    def box(self) -> Box:
        return bounds(self.polygon)


def placed(reading: Reading, found: FoundLine | None, width: int, height: int) -> PlacedLine:
    """A line of a page; or, where none was found, an image that is one word or line itself.

    Args:
        width, height: of the image.
    """
    return PlacedLine(
        reading.text,
        rounded(reading.confidence),
        _whole(found.line.polygon) if found else corners((0, 0, width, height)),
        [_word(each, found, width, height) for each in reading.words],
        _whole(found.line.baseline) if found else (),
    )


def rounded(confidence: float) -> float:
    """A confidence as it is told: float32 probabilities can sum to a hair above 1.

    Raises:
        ValueError: it is no number; a network that gives none reads nothing.
    """
    if math.isnan(confidence):
        raise ValueError("the confidence is not a number")
    return round(min(max(confidence, 0.0), 1.0), 4)


def corners(box: Box) -> Points:
    """The outline of a box."""
    left, top, right, bottom = box
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def bounds(points: Sequence[Point]) -> Box:
    """The box that holds all points."""
    xs, ys = zip(*points, strict=True)
    return math.floor(min(xs)), math.floor(min(ys)), math.ceil(max(xs)), math.ceil(max(ys))


def _word(word: Word, found: FoundLine | None, width: int, height: int) -> PlacedWord:
    if found:
        left, top, right, bottom = found.strip.box(word.left, word.right)
        # a strip has a margin, which may lie beyond the page
        left, right = (min(max(value, 0), width) for value in (left, right))
        top, bottom = (min(max(value, 0), height) for value in (top, bottom))
        box = left, top, right, bottom
    else:
        box = math.floor(word.left), 0, math.ceil(word.right), height
    return PlacedWord(word.text, rounded(word.confidence), box)


def _whole(points: Points) -> Points:
    return tuple((round(x), round(y)) for x, y in points)
