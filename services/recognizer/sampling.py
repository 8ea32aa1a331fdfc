"""The pixels of a line: the page sampled along it, and paper where it ends."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from recognizer.course import LEAST, CutError
from recognizer.image import Gray
from recognizer.layout import Points
from recognizer.parts import Floats, softened

TALLEST = 96  # pixels; networks read lower images, and taller ones cost time for nothing


def sample(page: Gray, x: Floats, y: Floats, polygon: Points, height: float) -> tuple[Gray, Floats]:
    """The page at these places, and how much of each lies within polygon and page, 0 to 1.

    Args:
        height: of the line, in pixels of the page.

    Raises:
        CutError: none of them is on the page.
    """
    left, top = (max(0, int(np.floor(values.min())) - 1) for values in (x, y))
    window = page[top : int(y.max()) + 3, left : int(x.max()) + 3]
    if 0 in window.shape:
        raise CutError("the line lies outside its page")
    mask = np.full(window.shape, 255, np.uint8)
    if len(polygon) >= 3:
        drawn = Image.new("L", (window.shape[1], window.shape[0]))
        corners = [(column - left, row - top) for column, row in polygon]
        ImageDraw.Draw(drawn).polygon(corners, fill=255, outline=255)
        # polygons are drawn tight, through the strokes
        mask = grown(np.asarray(drawn), max(3, int(height) // 16) // 2)
    places = (x - np.float32(left), y - np.float32(top))
    inside = _resampled(np.pad(mask, 1), *(place + 1 for place in places))
    return _resampled(window, *places), inside.astype(np.float32) / np.float32(255)


def grown(mask: Gray, reach: int) -> Gray:
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


def on_page(page: Gray, x: Floats, y: Floats) -> Floats:
    """1 where a place lies on the page."""
    height, width = page.shape
    on = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    return np.asarray(on, np.float32)


def finish(pixels: Gray, inside: Floats) -> Gray:
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
    smooth = softened(np.array(tones, np.float32)[np.newaxis], 1.0, 0)[0]
    return np.asarray(np.interp(np.arange(width), centres, smooth), np.float32)[np.newaxis]
