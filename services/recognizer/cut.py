"""Lines cut out of a page: levelled along their baseline, masked by their polygon."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from recognizer.image import Gray
from recognizer.layout import Line, Points
from recognizer.parts import Floats, softened

Path = NDArray[np.float64]
"""Points (x, y) in order, shape (points, 2)."""

TALLEST = 96  # pixels; networks read lower images, and taller ones cost time for nothing
MARGIN = 0.1  # round a line, as a share of its height
THIN = 0.6  # a polygon of less than this share of the usual height has lost parts of letters
LEAST = 4.0  # pixels; nothing lower or narrower holds a letter
MOST_POINTS = 4096  # of two paths that are compared
FINEST = 4  # times `TALLEST`; taller lines are sampled at fewer places
FARTHEST = 2.5  # a polygon reaching so many usual heights from its baseline is cut off there


class CutError(ValueError):
    """A line cannot be cut out of its page."""


@dataclass(frozen=True, slots=True)
class Strip:
    """A line cut out of a page, and where on the page it lies."""

    pixels: Gray
    """Dark ink on light paper, at most `TALLEST` high."""
    course: Path
    """The baseline on the page, a point for each column that was cut out."""
    above: float
    below: float
    """How far the strip reaches from it, in pixels of the page."""

    def box(self, left: float, right: float) -> tuple[int, int, int, int]:
        """Left, top, right, bottom on the page of what stands in these columns of the strip."""
        scale = len(self.course) / self.pixels.shape[1]
        first = int(np.clip(left * scale, 0, len(self.course) - 1))
        last = int(np.clip(np.ceil(right * scale), first + 1, len(self.course)))
        points, normals = self.course[first:last], _normals(self.course)[first:last]
        corners = np.concatenate((points - self.above * normals, points + self.below * normals))
        (x, y), (far_x, far_y) = corners.min(axis=0), corners.max(axis=0)
        return int(x), int(y), int(np.ceil(far_x)), int(np.ceil(far_y))


@dataclass(frozen=True, slots=True)
class Reach:
    """How far letters reach from their baseline, in pixels of the page."""

    above: float
    below: float


def usual_reach(lines: Sequence[Line], height: int) -> Reach:
    """What is usual on a page: the median of its polygons, else a share of the line spacing.

    Args:
        lines: in pixels of the page image.
        height: of that image.
    """
    found = []
    for line in lines:
        if len(line.baseline) >= 2 and len(line.polygon) >= 3:
            with suppress(CutError):
                _, offsets = _project(_even(_towards(line), 1.0), _outline(line.polygon))
                found.append((-offsets.min(), offsets.max()))
    if found:
        above, below = np.median(found, axis=0)
        whole = float(above + below)
        if whole >= 2 * LEAST:
            # a baseline drawn along the lower edge, or the middle, of its polygons
            return Reach(max(float(above), 0.5 * whole), max(float(below), 0.2 * whole))
    middles = sorted(
        float(np.mean([y for _, y in each.baseline])) for each in lines if each.baseline
    )
    gaps = [below - above for above, below in pairwise(middles) if below - above > height / 200]
    spacing = float(np.median(gaps)) if gaps else height / 30
    return Reach(0.7 * spacing, 0.3 * spacing)


def cut(page: Gray, line: Line, usual: Reach) -> Strip:
    """One line as an image of its own.

    The baseline is made straight and level by resampling the page along it, each column
    perpendicular to it. What lies outside the polygon becomes paper, in the local tone of the
    paper inside. A polygon that is missing, or much thinner than is usual on this page, is
    replaced by a band round the baseline; a missing baseline is estimated from the polygon.

    Args:
        page: the page image.
        line: in pixels of that image.
        usual: `usual_reach` of the page.

    Raises:
        CutError: neither polygon nor baseline, nothing of it on the page, or too small.
    """
    course = _smooth(_towards(line), usual.above)
    extent = _extent(course, line, usual)
    margin = MARGIN * (extent.above + extent.below)
    step = max(1.0, (extent.above + extent.below) / (FINEST * TALLEST))
    along = np.arange(extent.start - margin, extent.end + margin, step)
    across = np.arange(-extent.above - margin, extent.below + margin, step)
    if len(along) < LEAST or len(across) < LEAST:
        raise CutError("the line is too small")
    if len(along) * len(across) > page.size:
        raise CutError("the line is larger than its page")
    x, y = _grid(course, along, across)
    pixels, inside = _sample(page, x, y, line.polygon)
    if extent.thin:
        rows = (across >= -usual.above) & (across <= usual.below)
        columns = (along >= extent.start) & (along <= extent.end)
        inside = np.maximum(inside, np.outer(rows, columns) * _on(page, x, y))
    middle = min(round((extent.above + margin) / step), len(across) - 1)
    followed = np.stack((x[middle], y[middle]), axis=1).astype(np.float64)
    return Strip(_finish(pixels, inside), followed, extent.above + margin, extent.below + margin)


def _towards(line: Line) -> Path:
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
        _, offsets = _project(_even(drawn, 1.0), _outline(line.polygon))
        if offsets.mean() < 0:
            return drawn  # upside down on the page
    return drawn[::-1]


def _estimated(polygon: Points) -> list[tuple[float, float]]:
    """A straight baseline for a polygon: a line fitted a little above its lower edge."""
    if len(polygon) < 3:
        raise CutError("neither a polygon nor a baseline")
    outline = _outline(polygon)
    left, right = outline[:, 0].min(), outline[:, 0].max()
    if right - left < LEAST:
        raise CutError("the line is too small")
    edges = np.linspace(left, right, max(3, min(32, int((right - left) / 8))))
    xs, ys = [], []
    for low, high in pairwise(edges):
        column = outline[(outline[:, 0] >= low) & (outline[:, 0] <= high), 1]
        if len(column):
            xs.append((low + high) / 2)
            ys.append(column.min() + 0.75 * np.ptp(column))
    slope, height = np.polyfit(xs, ys, 1) if len(xs) > 1 else (0.0, ys[0])
    return [(left, slope * left + height), (right, slope * right + height)]


def _outline(polygon: Points) -> Path:
    """Its edge, back to where it begins."""
    return _even(np.array([*polygon, polygon[0]]), 2.0)


def _even(path: Path, step: float) -> Path:
    """The same path with a point every `step` pixels."""
    lengths = np.concatenate(([0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))))
    places = np.linspace(0, lengths[-1], max(2, int(lengths[-1] / step) + 1))
    return np.stack([np.interp(places, lengths, path[:, axis]) for axis in (0, 1)], axis=1)


@dataclass(frozen=True, slots=True)
class _Course:
    """A smooth baseline, a point each pixel; `first` is where its first point lies along it."""

    points: Path
    first: float


def _smooth(baseline: Path, height: float) -> _Course:
    """Smoothed over the height of a letter, and led on straight beyond both ends."""
    path = _even(baseline, 1.0)
    # a hook where a baseline was begun or ended says nothing of where it would go on
    look = int(np.clip(2 * height, 2, len(path) - 1))
    beyond = int(4 * height) + 8
    away = np.arange(1, beyond + 1)[:, np.newaxis]
    before = path[0] + away[::-1] * _unit(path[0] - path[look])
    after = path[-1] + away * _unit(path[-1] - path[-1 - look])
    whole = np.concatenate((before, path, after))
    return _Course(_blurred(whole, max(height / 2, 1.0)), -float(beyond))


def _blurred(values: Path, sigma: float) -> Path:
    """Each column smoothed; what lies beyond its ends is like the ends. Shape (values, columns)."""
    first = values[0]  # small numbers keep their precision
    soft = softened((values - first).astype(np.float32), 0, sigma)
    return np.asarray(soft + first, np.float64)


def _unit(vector: Path) -> Path:
    return np.asarray(vector / max(float(np.hypot(*vector)), 1e-9))


def _normals(path: Path) -> Path:
    """Unit vectors to the right of a path, which is down the page for one that runs right."""
    tangents = np.gradient(path, axis=0)
    tangents /= np.maximum(np.hypot(*tangents.T), 1e-9)[:, np.newaxis]
    return np.stack((-tangents[:, 1], tangents[:, 0]), axis=1)


def _project(path: Path, places: Path) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Index of the nearest point of an even path, and the distance from it, negative above.

    Of more than `MOST_POINTS` places only some are looked at.
    """
    # of very long lines every few points will do: the matrix has one value for each pair
    step = -(-len(path) // MOST_POINTS)
    places = places[:: -(-len(places) // MOST_POINTS)]
    some = path[::step]
    # |a - b|^2 less |b|^2, which is the same for every a
    nearest = ((some**2).sum(axis=1) - 2 * places @ some.T).argmin(axis=1) * step
    offsets = places - path[nearest]
    return nearest, (offsets * _normals(path)[nearest]).sum(axis=1)


@dataclass(frozen=True, slots=True)
class _Extent:
    """Where a line starts and ends along its course, and how far it reaches from it."""

    start: float
    end: float
    above: float
    below: float
    thin: bool
    """Its polygon is missing, or holds less than the letters."""


def _extent(course: _Course, line: Line, usual: Reach) -> _Extent:
    if len(line.polygon) < 3:
        end = len(course.points) - 1 + 2 * course.first
        return _Extent(0.0, end, usual.above, usual.below, thin=True)
    nearest, offsets = _project(course.points, _outline(line.polygon))
    above = float(np.clip(-offsets.min(), 0, FARTHEST * usual.above))
    below = float(np.clip(offsets.max(), 0, FARTHEST * usual.below))
    thin = above + below < THIN * (usual.above + usual.below)
    if thin:
        above, below = max(above, usual.above), max(below, usual.below)
    start, end = nearest.min() + course.first, nearest.max() + course.first
    return _Extent(float(start), float(end), above, below, thin)


def _grid(
    course: _Course, along: NDArray[np.float64], across: NDArray[np.float64]
) -> tuple[Floats, Floats]:
    """Where on the page each pixel of the line lies: x and y, shape (across, along)."""
    index = np.clip(along - course.first, 0, len(course.points) - 1)
    known = np.arange(len(course.points))
    normals = _normals(course.points)
    x, y, across_x, across_y = (
        np.interp(index, known, values) for values in (*course.points.T, *normals.T)
    )
    down = across[:, np.newaxis]
    return (x + down * across_x).astype(np.float32), (y + down * across_y).astype(np.float32)


def _sample(page: Gray, x: Floats, y: Floats, polygon: Points) -> tuple[Gray, Floats]:
    """The page at these places, and how much of each lies within polygon and page, 0 to 1."""
    left, top = (max(0, int(np.floor(values.min())) - 1) for values in (x, y))
    window = page[top : int(y.max()) + 3, left : int(x.max()) + 3]
    if 0 in window.shape:
        raise CutError("the line lies outside its page")
    mask = np.full(window.shape, 255, np.uint8)
    if len(polygon) >= 3:
        drawn = Image.new("L", (window.shape[1], window.shape[0]))
        corners = [(column - left, row - top) for column, row in polygon]
        ImageDraw.Draw(drawn).polygon(corners, fill=255, outline=255)
        grown = max(3, x.shape[0] // 16) | 1  # polygons are drawn tight, through the strokes
        mask = _grown(np.asarray(drawn), grown // 2)
    places = (x - np.float32(left), y - np.float32(top))
    inside = _resampled(np.pad(mask, 1), *(place + 1 for place in places))
    return _resampled(window, *places), inside.astype(np.float32) / np.float32(255)


def _grown(mask: Gray, reach: int) -> Gray:
    """The mask and what lies within a square of `reach` pixels each way of it.

    By running sums: Pillow's `MaxFilter` looks at every pixel of every square.
    """
    inside = mask > 0
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (reach + 1, reach)
        sums = np.cumsum(np.pad(inside, padding), axis=axis, dtype=np.int32)
        length, width = mask.shape[axis], 2 * reach + 1
        before, after = (
            np.take(sums, np.arange(first, first + length), axis=axis) for first in (0, width)
        )
        inside = after > before
    return np.asarray(inside, np.uint8) * np.uint8(255)


def _resampled(window: Gray, x: Floats, y: Floats) -> Gray:
    """Pixels at these places, between four of a window each; outside they are as at its edge."""
    height, width = window.shape
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    column = np.minimum(x.astype(np.intp), max(width - 2, 0))
    row = np.minimum(y.astype(np.intp), max(height - 2, 0))
    across, down = x - column.astype(np.float32), y - row.astype(np.float32)
    beside, under = min(1, width - 1), min(1, height - 1)
    upper = window[row, column] * (1 - across) + window[row, column + beside] * across
    lower = window[row + under, column] * (1 - across)
    lower += window[row + under, column + beside] * across
    return np.asarray(np.rint(upper * (1 - down) + lower * down), np.uint8)


def _on(page: Gray, x: Floats, y: Floats) -> Floats:
    """1 where a place lies on the page."""
    height, width = page.shape
    on = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    return np.asarray(on, np.float32)


def _finish(pixels: Gray, inside: Floats) -> Gray:
    """Paper outside, light whatever it was on the page, and no taller than needed."""
    kept = inside > 0.5
    if kept.sum() < LEAST**2:
        raise CutError("the line lies outside its page")
    values = pixels[kept]
    darkest, middle, lightest = np.percentile(values, (1, 50, 99))
    if middle < 128 and middle - darkest < lightest - middle:
        pixels = np.invert(pixels)
    edge = max(1.0, pixels.shape[0] / 64)
    share = np.minimum(softened(inside, edge, edge), inside)
    mixed = share * pixels + (1 - share) * _paper(pixels, kept)
    height, width = mixed.shape
    if height > TALLEST:
        size = (max(1, round(width * TALLEST / height)), TALLEST)
        mixed = np.asarray(Image.fromarray(mixed).resize(size, Image.Resampling.BOX))
    gray: Gray = np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
    return gray


def _paper(pixels: Gray, kept: NDArray[np.bool_]) -> Floats:
    """The tone of the paper for each column, shape (1, columns).

    In tiles as wide as the line is high: most of what lies inside a polygon is paper, so an
    upper quantile is its tone, whatever is written there.
    """
    height, width = pixels.shape
    tiles = max(1, width // max(height, 1))
    edges = np.linspace(0, width, tiles + 1).astype(int)
    centres, tones = [], []
    for low, high in pairwise(edges):
        values = pixels[:, low:high][kept[:, low:high]]
        if len(values) >= height:
            centres.append(float(low + high) / 2)
            tones.append(float(np.percentile(values, 70)))
    if not tones:
        centres, tones = [0.0], [float(np.percentile(pixels[kept], 70))]
    smooth = _blurred(np.array(tones, np.float64)[:, np.newaxis], 1.0)[:, 0]
    return np.asarray(np.interp(np.arange(width), centres, smooth), np.float32)[np.newaxis]
