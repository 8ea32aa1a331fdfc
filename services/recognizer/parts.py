"""Connected parts of a picture, and pictures made softer: what finding lines is built from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Parts:
    """Parts of a mask that hang together, corners included, numbered from 1.

    `labels` has the shape of the mask, with 0 where it is False. `boxes` (parts, 4) holds top,
    left, bottom and right of each, the latter two exclusive; `areas` (parts,) its pixels.
    """

    labels: NDArray[np.intp]
    boxes: NDArray[np.intp]
    areas: NDArray[np.intp]


def parts(mask: Mask) -> Parts:
    """The connected parts of a mask, shape (height, width).

    Runs of each row are the nodes of a graph, whose edges join those that touch in the row above.
    Roots are halved and hooked for all edges at once, as in Y. Zhang et al., "FastSV", SIAM
    Conference on Parallel Processing for Scientific Computing, 2020, section 3.
    """
    rows, starts, ends = _runs(mask)
    root = _roots(len(rows), *_touching(rows, starts, ends, mask.shape[1]))
    _, number = np.unique(root, return_inverse=True)
    lengths = ends - starts
    labels = np.zeros(mask.shape, np.intp)
    labels[mask] = np.repeat(number + 1, lengths)
    count = int(number.max()) + 1 if len(number) else 0
    boxes = np.empty((count, 4), np.intp)
    boxes[:, :2], boxes[:, 2:] = max(mask.shape), 0
    for column, values, extreme in (
        (0, rows, np.minimum),
        (1, starts, np.minimum),
        (2, rows + 1, np.maximum),
        (3, ends, np.maximum),
    ):
        extreme.at(boxes[:, column], number, values)
    areas = np.bincount(number, weights=lengths, minlength=count).astype(np.intp)
    return Parts(labels, boxes, areas)


def _runs(mask: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Row, first column and the column after the last of each run of True, row by row."""
    steps = np.diff(mask.astype(np.int8), axis=1, prepend=0, append=0)
    rows, starts = np.nonzero(steps == 1)
    return rows, starts, np.nonzero(steps == -1)[1]


def _touching(
    rows: NDArray[np.intp], starts: NDArray[np.intp], ends: NDArray[np.intp], width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of runs in rows above each other that touch, with a corner at least."""
    row = width + 2
    above = (rows - 1) * row
    first = np.searchsorted(rows * row + ends, above + starts, side="left")
    last = np.searchsorted(rows * row + starts, above + ends, side="right")
    counts = np.maximum(last - first, 0)
    lower = np.repeat(np.arange(len(rows)), counts)
    offsets = np.arange(len(lower)) - np.repeat(np.cumsum(counts) - counts, counts)
    return lower, np.repeat(first, counts) + offsets


def _roots(count: int, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.intp]:
    """The lowest node that each hangs together with."""
    root = np.arange(count)
    while (root[one] != root[other]).any():
        lowest = np.minimum(root[one], root[other])
        for nodes in (one, other):
            np.minimum.at(root, root[nodes], lowest)
            np.minimum.at(root, nodes, lowest)
        root = root[root]
    return root


def softened(values: Floats, across: float, down: float) -> Floats:
    """Gaussian blur; what lies beyond the edges is like the edges.

    Args:
        values: shape (rows, columns).
        across, down: standard deviations, in columns and in rows.
    """
    for axis, sigma in ((1, across), (0, down)):
        radius = min(int(3 * sigma + 0.5), 4 * values.shape[axis])
        if radius < 1:
            continue
        weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
        values = _weighted(values, (weights / weights.sum()).astype(np.float32), axis)
    return values


def _weighted(values: Floats, weights: Floats, axis: int) -> Floats:
    """The sum of the neighbours along an axis, each with its weight."""
    radius = len(weights) // 2
    padding = [(0, 0), (0, 0)]
    padding[axis] = (radius, radius)
    padded = np.pad(values, padding, mode="edge")
    length = values.shape[axis]
    result = np.zeros_like(values)
    for offset, weight in enumerate(weights):
        cut = slice(offset, offset + length)
        result += weight * (padded[:, cut] if axis else padded[cut])
    return result


def opened(mask: Mask, length: int, axis: int) -> Mask:
    """What lies in runs of at least `length` along an axis: 0 down, 1 across."""
    rows, starts, ends = _runs(mask if axis else mask.T)
    long = ends - starts >= length
    height, width = mask.shape if axis else mask.shape[::-1]
    edges = np.zeros((height, width + 1), np.int8)
    edges[rows[long], starts[long]] = 1
    edges[rows[long], ends[long]] -= 1
    kept = np.cumsum(edges, axis=1)[:, :width] > 0
    return np.asarray(kept if axis else kept.T)
