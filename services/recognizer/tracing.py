"""From the maps of a detector to lines with baselines and polygons."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recognizer.layout import Line
from recognizer.maps import Floats, Maps
from recognizer.parts import parts

THRESHOLDS = (0.5, 0.7, 0.85)
"""Where bands of two lines touch, a higher one tells them apart."""
LEAST_WIDTH = 0.6
"""Of a line, as a share of its height: a lone letter is kept and a stain left out."""
LEAST_HEIGHT = 1.5  # cells
GAP = 1.0
"""Two pieces of a band belong to one line where no more than this many heights lie between."""
SHIFT = 0.3
"""And where one leads on to the other within this share of the height."""
MOST_LINES = 300
"""A page has fewer; what is noise has no end, and each line costs the time of one."""
BRIDGES = 2
"""Columns in which a band may part in two before it is taken for two."""


@dataclass
class _Piece:
    """A band from column to column: the middle of each, and its reach, in cells."""

    columns: NDArray[np.float64]
    middles: NDArray[np.float64]
    above: NDArray[np.float64]
    below: NDArray[np.float64]

    @property
    def height(self) -> float:
        return float(np.median(self.above + self.below))

    def follows(self, other: "_Piece") -> float | None:
        """Columns between the end of `other` and the start of this; None where it does not."""
        height = (self.height + other.height) / 2
        gap = float(self.columns[0] - other.columns[-1])
        if not -height / 2 < gap < GAP * height:
            return None
        if self.columns[-1] <= other.columns[-1] or self.columns[0] <= other.columns[0]:
            return None
        look = int(max(2, 2 * height))
        ends, starts = other.middles[-look:], self.middles[:look]
        slope = (ends[-1] - ends[0] + starts[-1] - starts[0]) / max(len(ends) + len(starts) - 2, 1)
        shift = abs(starts[0] - ends[-1] - slope * gap)
        return gap if shift < SHIFT * height else None

    def led_on(self, other: "_Piece") -> "_Piece":
        """Both as one, `other` being the later."""
        beyond = other.columns > self.columns[-1]
        return _Piece(
            np.concatenate((self.columns, other.columns[beyond])),
            np.concatenate((self.middles, other.middles[beyond])),
            np.concatenate((self.above, other.above[beyond])),
            np.concatenate((self.below, other.below[beyond])),
        )

    def line(self, maps: Maps) -> Line:
        """In pixels of the page."""
        step = max(2, round(self.height / 2))
        whole = np.arange(self.columns[0], self.columns[-1] + 1)
        wanted = np.append(whole[:-1:step], whole[-1])
        middles, above, below = (
            np.interp(wanted, whole, _softened(np.interp(whole, self.columns, values), step))
            for values in (self.middles, self.above, self.below)
        )
        # a cell's middle lies half a cell after where it begins
        x, y = (wanted + 0.5) * maps.scale, (middles + 0.5) * maps.scale
        upper, lower = y - above * maps.scale, y + below * maps.scale
        base = y + maps.drop * (lower - upper)
        outline = [*zip(x, upper, strict=True), *zip(x[::-1], lower[::-1], strict=True)]
        return Line(
            polygon=tuple((float(a), float(b)) for a, b in outline),
            baseline=tuple((float(a), float(b)) for a, b in zip(x, base, strict=True)),
        )


def trace(maps: Maps) -> list[Line]:
    """Lines of a page, in its pixels, the widest first, and no more than `MOST_LINES`."""
    pieces = [
        piece
        for piece in _pieces(maps, maps.core, THRESHOLDS)
        if piece.height >= LEAST_HEIGHT
        and piece.columns[-1] - piece.columns[0] + 1 >= LEAST_WIDTH * piece.height
    ]
    widest = sorted(_joined(pieces), key=lambda piece: -len(piece.columns))
    return [piece.line(maps) for piece in widest[:MOST_LINES]]


def _pieces(maps: Maps, core: Floats, thresholds: tuple[float, ...]) -> Iterator[_Piece]:
    found = parts(core >= thresholds[0])
    for label, box in enumerate(found.boxes, 1):
        top, left, bottom, right = (int(value) for value in box)
        window = np.s_[top:bottom, left:right]
        inside = found.labels[window] == label
        if len(thresholds) > 1 and _parted(inside):
            alone = np.where(inside, core[window], np.float32(0))
            part = Maps(alone, maps.above[window], maps.below[window], maps.scale)
            inner = list(_pieces(part, alone, thresholds[1:]))
            for piece in inner:
                yield replace(piece, columns=piece.columns + left, middles=piece.middles + top)
            if inner:  # else it is faint, and one line as far as anybody can tell
                continue
        weights = np.where(inside, core[window], 0).astype(np.float64)
        whole = weights.sum(axis=0)
        rows = np.arange(top, bottom)[:, np.newaxis]
        yield _Piece(
            np.arange(left, right, dtype=np.float64),
            (weights * rows).sum(axis=0) / whole,
            (weights * maps.above[window]).sum(axis=0) / whole,
            (weights * maps.below[window]).sum(axis=0) / whole,
        )


def _parted(inside: NDArray[np.bool_]) -> bool:
    """Whether a band holds two: in some columns there is a gap within it."""
    starts = np.diff(inside.astype(np.int8), axis=0, prepend=0) == 1
    return int((starts.sum(axis=0) > 1).sum()) > BRIDGES


def _joined(pieces: list[_Piece]) -> list[_Piece]:
    """Pieces of one line put together, the nearest first."""
    gaps = sorted(
        (gap, first, second)
        for first, second in _near(pieces)
        if (gap := pieces[second].follows(pieces[first])) is not None
    )
    following: dict[int, int] = {}
    led = set[int]()
    for _, first, second in gaps:
        if first not in following and second not in led:
            following[first] = second
            led.add(second)
    joined = []
    for first, piece in enumerate(pieces):
        if first in led:
            continue
        last = first
        while last in following:
            last = following[last]
            piece = piece.led_on(pieces[last])
        joined.append(piece)
    return joined


def _near(pieces: list[_Piece]) -> Iterator[tuple[int, int]]:
    """Pairs of which one may follow the other: on a stained page there are a million others."""
    if not pieces:
        return
    starts = np.array([(each.columns[0], each.middles[0]) for each in pieces])
    ends = np.array([(each.columns[-1], each.middles[-1]) for each in pieces])
    heights = np.array([each.height for each in pieces])
    for first, (column, middle) in enumerate(ends):
        reach = np.maximum(heights, heights[first])
        away = np.abs(starts - (column, middle))
        for second in np.flatnonzero((away < (GAP + SHIFT) * reach[:, np.newaxis]).all(axis=1)):
            if second != first:
                yield first, int(second)


def _softened(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The mean over `width` values each way; beyond the ends values stay as they end."""
    padded = np.pad(values, width, mode="edge")
    kernel = np.full(2 * width + 1, 1 / (2 * width + 1))
    return np.convolve(padded, kernel, mode="valid")
