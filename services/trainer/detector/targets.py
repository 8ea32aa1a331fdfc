"""What the network should say of a page whose lines are known."""

import cv2
import numpy as np
from numpy.typing import NDArray

from recognizer.detector import REACH
from recognizer.layout import Line
from recognizer.maps import CELL, Floats

THICKNESS = 0.2
"""Of a band, as a share of the reach of its line: what keeps neighbours apart."""
THINNEST, THICKEST = 1.5, 5.0  # cells


def targets(lines: list[Line], shape: tuple[int, int]) -> Floats:
    """Maps of shape (rows, columns, 3), as `Finder` is to give them.

    Args:
        lines: in pixels of the page that the network sees; each with baseline and polygon.
        shape: rows and columns of the maps.
    """
    maps = np.zeros((*shape, 3), np.float32)
    for line in lines:
        _draw(maps, np.array(line.baseline) / CELL, np.array(line.polygon) / CELL)
    return maps


def _draw(maps: Floats, baseline: NDArray[np.float64], polygon: NDArray[np.float64]) -> None:
    rows, columns = maps.shape[:2]
    order = np.argsort(baseline[:, 0])
    xs, ys = baseline[order].T
    first, last = max(0, int(np.ceil(xs[0]))), min(columns - 1, int(xs[-1]))
    if last - first < 1:
        return
    wanted = np.arange(first, last + 1)
    middles = np.interp(wanted, xs, ys)
    above, below = _reaches(polygon, wanted, middles)
    reach = float(np.median(above + below))
    half = float(np.clip(THICKNESS * reach, THINNEST, THICKEST)) / 2
    top = max(0, int(middles.min() - half) - 1)
    bottom = min(rows, int(middles.max() + half) + 3)
    if top >= bottom:
        return
    distance = np.abs(np.arange(top, bottom)[:, np.newaxis] - (middles - 0.5))
    band = np.clip(half + 0.5 - distance, 0, 1).astype(np.float32)
    window = maps[top:bottom, first : last + 1]
    stronger = band > window[..., 0]
    window[..., 0] = np.maximum(window[..., 0], band)
    for index, values in ((1, above), (2, below)):
        spread = np.broadcast_to(values / REACH, band.shape)
        window[..., index] = np.where(stronger, spread, window[..., index])


def _reaches(
    polygon: NDArray[np.float64], columns: NDArray[np.intp], middles: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far the polygon goes above and below the baseline in each column, smoothed."""
    left, top = np.floor(polygon.min(axis=0)).astype(int) - 1
    width, height = np.ceil(np.ptp(polygon, axis=0)).astype(int) + 3
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.rint(polygon - (left, top)).astype(np.int32)], 1)
    found = np.asarray(mask.any(axis=0))
    inside = np.clip(columns - left, 0, width - 1)
    upper = np.where(found, mask.argmax(axis=0), 0)[inside] + top
    lower = np.where(found, height - mask[::-1].argmax(axis=0), 0)[inside] + top
    known = found[inside]
    reaches = []
    for values in (middles - upper, lower - middles):
        usual = float(np.median(values[known])) if known.any() else 1.0
        values = np.where(known, np.clip(values, 0.2, None), usual)
        soft = cv2.GaussianBlur(values[np.newaxis], (0, 1), sigmaX=max(usual, 1.0), sigmaY=1)
        reaches.append(np.asarray(soft, np.float64)[0])
    return reaches[0], reaches[1]
