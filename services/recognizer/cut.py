"""Lines cut out of a page: levelled along their baseline, masked by their polygon."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from recognizer.course import (
    LEAST,
    Course,
    CutError,
    Path,
    even,
    normals,
    outline,
    project,
    smooth,
    towards,
)
from recognizer.image import Gray
from recognizer.layout import Line
from recognizer.sampling import TALLEST, finish, on_page, sample

MARGIN = 0.1  # round a line, as a share of its height
THIN = 0.6  # a polygon of less than this share of the usual height has lost parts of letters
FINEST = 4  # times `TALLEST`; taller lines are sampled at fewer places
ROOM = 2  # times the page; with its margins a line that fills its page is larger than that
FARTHEST = 2.5  # a polygon reaching so many usual heights from its baseline is cut off there


@dataclass(frozen=True)
class Strip:
    """A line cut out of a page, and where on the page it lies."""

    pixels: Gray
    """Dark ink on light paper, at most `TALLEST` high."""
    course: Path
    """The baseline on the page, a point for each column that was cut out."""
    above: float
    below: float
    """How far the strip reaches from it, in pixels of the page."""

    @cached_property
    def _across(self) -> Path:
        """Unit vectors down the strip at each point of its course: every word asks for some."""
        return normals(self.course)

    def box(self, left: float, right: float) -> tuple[int, int, int, int]:
        """Left, top, right, bottom on the page of what stands in these columns of the strip."""
        scale = len(self.course) / self.pixels.shape[1]
        first = int(np.clip(left * scale, 0, len(self.course) - 1))
        last = int(np.clip(np.ceil(right * scale), first + 1, len(self.course)))
        points, across = self.course[first:last], self._across[first:last]
        corners = np.concatenate((points - self.above * across, points + self.below * across))
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
        if len(line.polygon) >= 3:  # a missing baseline is estimated, as `cut` does
            with suppress(CutError):
                _, offsets = project(even(towards(line), 1.0), outline(line.polygon))
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
    course = smooth(towards(line), usual.above)
    extent = _extent(course, line, usual)
    margin = MARGIN * (extent.above + extent.below)
    step = max(1.0, (extent.above + extent.below) / (FINEST * TALLEST))
    along = np.arange(extent.start - margin, extent.end + margin, step)
    across = np.arange(-extent.above - margin, extent.below + margin, step)
    if len(along) < LEAST or len(across) < LEAST:
        raise CutError("the line is too small")
    if len(along) * len(across) > ROOM * page.size:
        raise CutError("the line is larger than its page")
    x, y = course.grid(along, across)
    pixels, inside = sample(page, x, y, line.polygon, extent.above + extent.below + 2 * margin)
    if extent.thin:
        rows = (across >= -usual.above) & (across <= usual.below)
        columns = (along >= extent.start) & (along <= extent.end)
        inside = np.maximum(inside, np.outer(rows, columns) * on_page(page, x, y))
    middle = min(round((extent.above + margin) / step), len(across) - 1)
    followed = np.stack((x[middle], y[middle]), axis=1).astype(np.float64)
    return Strip(finish(pixels, inside), followed, extent.above + margin, extent.below + margin)


@dataclass(frozen=True, slots=True)
class _Extent:
    """Where a line starts and ends along its course, and how far it reaches from it."""

    start: float
    end: float
    above: float
    below: float
    thin: bool
    """Its polygon is missing, or holds less than the letters."""


def _extent(course: Course, line: Line, usual: Reach) -> _Extent:
    if len(line.polygon) < 3:
        end = len(course.points) - 1 + 2 * course.first
        return _Extent(0.0, end, usual.above, usual.below, thin=True)
    nearest, offsets = project(course.points, outline(line.polygon))
    above = float(np.clip(-offsets.min(), 0, FARTHEST * usual.above))
    below = float(np.clip(offsets.max(), 0, FARTHEST * usual.below))
    thin = above + below < THIN * (usual.above + usual.below)
    if thin:
        above, below = max(above, usual.above), max(below, usual.below)
    start, end = nearest.min() + course.first, nearest.max() + course.first
    return _Extent(float(start), float(end), above, below, thin)
