"""Characters shifted, turned, slanted and scaled a little, as other hands would have them."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

TURN, SLANT, SCALE, SHIFT = 0.1, 0.12, 0.07, 1.0
"""Standard deviations: radians, columns for a row, share, pixels."""


def warped(
    ink: NDArray[np.uint8], share: float, rng: Generator, *, most: float = 2.5
) -> NDArray[np.uint8]:
    """Images (images, side, side), of which a share is changed.

    Args:
        most: of their deviation, changes are cut off there.
    """
    changed = ink.copy()
    middle = (ink.shape[1] - 1) / 2
    for number in np.flatnonzero(rng.random(len(ink)) < share):
        turn, slant, wide, high, right, down = np.clip(rng.normal(size=6), -most, most)
        cosine, sine = np.cos(TURN * turn), np.sin(TURN * turn)
        turned = np.array([[cosine, -sine], [sine, cosine]])
        bent = turned @ np.array([[1, SLANT * slant], [0, 1]])
        matrix = bent @ np.diag([1 + SCALE * wide, 1 + SCALE * high])
        moved = middle - matrix @ [middle, middle] + SHIFT * np.array([right, down])
        affine = np.column_stack([matrix, moved])
        changed[number] = cv2.warpAffine(ink[number], affine, ink.shape[:0:-1])
    return changed
