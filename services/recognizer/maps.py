"""What a detector says of a page: where lines run, and how far their letters reach."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recognizer.image import Gray

Floats = NDArray[np.float32]

LONGEST = 1280
"""Pixels; a page is made no longer than this before it is looked at."""
CELL = 4
"""Pixels of that page, across and down, of which each map holds one value."""


@dataclass(frozen=True)
class Maps:
    """Three values for each cell of a page, each of shape (rows, columns).

    `core` is high on a narrow band along each line, 0 to 1. `above` and `below` say, on that
    band, how many cells the letters reach from its middle. `drop` is how many times the whole
    reach the baseline lies below the middle, `scale` how many pixels of the page a cell takes.
    """

    core: Floats
    above: Floats
    below: Floats
    scale: float
    drop: float = 0.0


class Detector(Protocol):
    """Finds where lines run."""

    @property
    def name(self) -> str: ...

    def maps(self, page: Gray) -> Maps: ...


def fit(page: Gray, longest: int = LONGEST) -> tuple[Gray, float]:
    """The page, made smaller where it is longer than `longest`, and pixels of it for one of that.

    Args:
        page: shape (height, width).
    """
    scale = max(1.0, max(page.shape) / longest)
    if scale == 1.0:
        return page, scale
    size = (max(1, round(page.shape[1] / scale)), max(1, round(page.shape[0] / scale)))
    return np.asarray(Image.fromarray(page).resize(size, Image.Resampling.BOX)), scale
