"""The trained line detector of a bundle."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognizer.errors import BundleError
from recognizer.image import Gray
from recognizer.levels import percentiles
from recognizer.maps import CELL, LONGEST, Floats, Maps, fit
from recognizer.session import open_session

MULTIPLE = 32
"""The network halves a page five times."""
REACH = 16.0
"""Cells that a reach of 1 stands for in the network's output."""
LARGE, USUAL = 30.0, 14.0
"""Cells. Where lines are higher than the one, the page is looked at again with lines as high as
the other: letters that fill the page are not what a detector has learnt."""
LEAST_CONTRAST = 48.0


class Network:
    """A fully convolutional network: ink (1, height, width, 1) to (1, rows, columns, 3)."""

    name = "network"

    def __init__(self, file: Path, *, threads: int = 0) -> None:
        """Raises `BundleError`: the file is no detector."""
        self._file = file
        self._session = open_session(file, threads, keeps_memory=False)
        self._input = self._session.get_inputs()[0].name
        if (self._session.get_outputs()[0].shape or [None])[-1] != 3:
            raise BundleError(file, "is no line detector: it does not give three maps")

    def maps(self, page: Gray) -> Maps:
        """`Maps` of a page."""
        found = self._look(page, LONGEST)
        on_band = found.core > 0.5
        if on_band.any():
            height = float(np.median((found.above + found.below)[on_band]))
            if height > LARGE:
                longest = max(page.shape) / found.scale * USUAL / height * CELL
                found = self._look(page, max(MULTIPLE, round(longest)))
        return found

    def _look(self, page: Gray, longest: int) -> Maps:
        small, scale = fit(page, longest)
        output = self._session.run(
            None, {self._input: ink_of_page(small)[np.newaxis, ..., np.newaxis]}
        )
        core, above, below = np.moveaxis(np.asarray(output[0], np.float32)[0], 2, 0)
        return Maps(core, above * REACH, below * REACH, scale * CELL)


def ink_of_page(gray: Gray) -> Floats:
    """Paper to 0 and strokes to 1, padded with paper to sides that the network can halve.

    Args:
        gray: dark ink on light paper, shape (height, width).
    """
    paper = float(percentiles(gray, (60,))[0])
    darkest = float(percentiles(gray, (1,))[0])
    ink = np.clip((paper - gray.astype(np.float32)) / max(paper - darkest, LEAST_CONTRAST), 0, 1)
    height, width = gray.shape
    padded: NDArray[np.float32] = np.zeros(
        (-(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE), np.float32
    )
    padded[:height, :width] = ink
    return padded
