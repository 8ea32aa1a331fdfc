"""Gray levels of an image by their rank."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def percentiles(gray: NDArray[np.uint8], shares: Sequence[float]) -> NDArray[np.float64]:
    """What `numpy.percentile` gives for 8-bit pixels, from one histogram: no sorting.

    Args:
        gray: shape (height, width), not empty.
        shares: percentages, 0 to 100.

    Returns:
        One gray level a share, between two pixels interpolated.
    """
    ranks = np.cumsum(Image.fromarray(gray).histogram())
    places = np.asarray(shares) / 100 * (gray.size - 1)
    # the pixel of rank r is the first level with more than r pixels up to it
    below = np.searchsorted(ranks, np.floor(places), side="right")
    above = np.searchsorted(ranks, np.ceil(places), side="right")
    return np.asarray(below + (places - np.floor(places)) * (above - below), np.float64)
