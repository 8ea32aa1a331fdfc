"""The course of a baseline over its page: what a line is cut out along."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from recognizer.layout import Line, Points
from recognizer.parts import Floats, softened

Path = NDArray[np.float64]
"""Points (x, y) in order, shape (points, 2)."""

LEAST = 4.0  # pixels; nothing lower or narrower holds a letter
MOST_POINTS = 4096  # of an outline that are compared with a baseline
FIRST_LOOK = 256  # points of a baseline


class CutError(ValueError):
    """A line cannot be cut out of its page."""


def towards(line: Line) -> Path:
    """The baseline in reading direction, shape (points, 2).

    As it was drawn, unless it was drawn leftwards with the letters below it: then backwards.
    """
    drawn = np.array(line.baseline if len(line.baseline) >= 2 else _estimated(line.polygon))
    steps = np.hypot(*np.diff(drawn, axis=0).T)
    drawn = drawn[np.concatenate(([True], steps > 1e-6))]
    if len(drawn) < 2:
        raise CutError("the baseline is a point")
    direction = drawn[-1] - drawn[0]
    if direction[0] >= 0 or abs(direction[1]) > abs(direction[0]):
        return drawn
    if len(line.polygon) >= 3:
        _, offsets = project(even(drawn, 1.0), outline(line.polygon))
        if offsets.mean() < 0:
            return drawn  # upside down on the page
    return drawn[::-1]


def _estimated(polygon: Points) -> list[tuple[float, float]]:
    """A straight baseline for a polygon: a line fitted a little above its lower edge."""
    if len(polygon) < 3:
        raise CutError("neither a polygon nor a baseline")
    edge = outline(polygon)
    left, right = edge[:, 0].min(), edge[:, 0].max()
    if right - left < LEAST:
        raise CutError("the line is too small")
    edges = np.linspace(left, right, max(3, min(32, int((right - left) / 8))))
    xs, ys = [], []
    for low, high in pairwise(edges):
        column = edge[(edge[:, 0] >= low) & (edge[:, 0] <= high), 1]
        if len(column):
            xs.append((low + high) / 2)
            ys.append(column.min() + 0.75 * np.ptp(column))
    slope, height = np.polyfit(xs, ys, 1) if len(xs) > 1 else (0.0, ys[0])
    return [(left, slope * left + height), (right, slope * right + height)]


def outline(polygon: Points) -> Path:
    """Its edge, back to where it begins."""
    return even(np.array([*polygon, polygon[0]]), 2.0)


def even(path: Path, step: float) -> Path:
    """The same path with a point every `step` pixels."""
    lengths = np.concatenate(([0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))))
    places = np.linspace(0, lengths[-1], max(2, int(lengths[-1] / step) + 1))
    return np.stack([np.interp(places, lengths, path[:, axis]) for axis in (0, 1)], axis=1)


@dataclass(frozen=True, slots=True)
class Course:
    """A smooth baseline, a point each pixel; `first` is where its first point lies along it."""

    points: Path
    first: float

    def grid(
        self, along: NDArray[np.float64], across: NDArray[np.float64]
    ) -> tuple[Floats, Floats]:
        """Where on the page each pixel of the line lies: x and y, shape (across, along)."""
        index = np.clip(along - self.first, 0, len(self.points) - 1)
        known = np.arange(len(self.points))
        across_it = normals(self.points)
        x, y, across_x, across_y = (
            np.interp(index, known, values) for values in (*self.points.T, *across_it.T)
        )
        down = across[:, np.newaxis]
        return (x + down * across_x).astype(np.float32), (y + down * across_y).astype(np.float32)


def smooth(baseline: Path, height: float) -> Course:
    """Smoothed over the height of a letter, and led on straight beyond both ends."""
    path = even(baseline, 1.0)
    # a hook where a baseline was begun or ended says nothing of where it would go on
    look = int(np.clip(2 * height, 2, len(path) - 1))
    beyond = int(4 * height) + 8
    away = np.arange(1, beyond + 1)[:, np.newaxis]
    before = path[0] + away[::-1] * _unit(path[0] - path[look])
    after = path[-1] + away * _unit(path[-1] - path[-1 - look])
    whole = np.concatenate((before, path, after))
    return Course(_blurred(whole, max(height / 2, 1.0)), -float(beyond))


def _blurred(values: Path, sigma: float) -> Path:
    """Each column smoothed; what lies beyond its ends is like the ends. Shape (values, columns)."""
    first = values[0]  # small numbers keep their precision
    soft = softened((values - first).astype(np.float32), 0, sigma)
    return np.asarray(soft + first, np.float64)


def _unit(vector: Path) -> Path:
    return np.asarray(vector / max(float(np.hypot(*vector)), 1e-9))


def normals(path: Path) -> Path:
    """Unit vectors to the right of a path, which is down the page for one that runs right."""
    tangents = np.gradient(path, axis=0)
    tangents /= np.maximum(np.hypot(*tangents.T), 1e-9)[:, np.newaxis]
    return np.stack((-tangents[:, 1], tangents[:, 0]), axis=1)


def project(path: Path, places: Path) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Index of the nearest point of an even path, and the distance from it, negative above.

    Of more than `MOST_POINTS` places only some are looked at.
    """
    places = places[:: -(-len(places) // MOST_POINTS)]
    nearest = _nearest(path, places)
    offsets = places - path[nearest]
    return nearest, (offsets * normals(path)[nearest]).sum(axis=1)


def _nearest(path: Path, places: Path) -> NDArray[np.intp]:
    """By every few points of the path first, then by those around: all pairs were many."""
    step = -(-len(path) // FIRST_LOOK)
    some = path[::step]
    # |a - b|^2 less |b|^2, which is the same for every a
    first = ((some**2).sum(axis=1) - 2 * places @ some.T).argmin(axis=1) * step
    around = first[:, np.newaxis] + np.arange(-step, step + 1)
    around = np.clip(around, 0, len(path) - 1)
    distances = ((path[around] - places[:, np.newaxis]) ** 2).sum(axis=2)
    return np.take_along_axis(around, distances.argmin(axis=1)[:, np.newaxis], axis=1)[:, 0]
