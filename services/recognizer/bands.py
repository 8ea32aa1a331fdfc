"""A detector that was not trained: dark bands between light ones, after rules are taken away.

For versions whose bundle has no detector of its own. It follows writing that stands in lines of
about one height; drawings, stains and very crowded pages mislead it.
"""

import numpy as np
from PIL import Image, ImageFilter

from recognizer.image import Gray
from recognizer.maps import CELL, Maps, fit
from recognizer.parts import Mask, opened, parts, softened

PATCH = 10  # pixels; the tone of the paper is known for each
LEAST_CONTRAST = 24  # gray levels below the paper round it
SMALL = 0.6
"""Height of a small letter in that of what is joined to it, of all hands the middle."""
LEAST_LETTER = 6.0  # pixels
RULE = 12  # heights; a stroke so long and straight was drawn with a ruler
ABOVE, BELOW = 0.62, 0.48
"""Reach of letters from the middle of their band, as shares of the distance between lines."""
DROP = 0.22
"""From that middle to the baseline, as a share of the whole reach."""


class Bands:
    """Finds lines as bands of ink."""

    name = "bands"

    def maps(self, page: Gray) -> Maps:
        """`Maps` of a page; nothing is found where there is no ink."""
        small, scale = fit(page)
        ink = ink_mask(small)
        height = _letter(ink)
        if height is None:
            nothing = np.zeros((1, 1), np.float32)
            return Maps(nothing, nothing, nothing, scale * CELL)
        ink = _without_rules(ink, height)
        size = (max(1, small.shape[1] // CELL), max(1, small.shape[0] // CELL))
        whole = ink[: size[1] * CELL, : size[0] * CELL]  # cells
        inked = Image.fromarray(whole.astype(np.float32))
        density = np.asarray(inked.resize(size, Image.Resampling.BOX))
        letter = height / CELL
        along = softened(density, 2.0 * letter, 0.35 * letter)
        around = softened(density, 2.0 * letter, 1.2 * letter)
        # a band is darker than what is above and below it, and than half of what is usual in one
        raised = along - around
        usual = float(np.percentile(raised[raised > 0], 90)) if (raised > 0).any() else 1.0
        core = np.clip(raised / max(usual, 1e-6) * 1.4, 0, 1).astype(np.float32)
        spacing = 2.2 * letter
        return Maps(
            core,
            np.full(core.shape, ABOVE * spacing, np.float32),
            np.full(core.shape, BELOW * spacing, np.float32),
            scale * CELL,
            drop=DROP,
        )


def ink_mask(gray: Gray) -> Mask:
    """Where a pixel is darker than the paper round it."""
    size = (max(1, gray.shape[1] // PATCH), max(1, gray.shape[0] // PATCH))
    # the lightest of a few pixels is paper, and the middle of some such is so beside a stain too
    lightest = Image.fromarray(gray).filter(ImageFilter.MaxFilter(5)).resize(size)
    paper = lightest.filter(ImageFilter.MedianFilter(5)).resize(gray.shape[::-1])
    darker = np.asarray(paper, np.int16) - gray
    contrast = max(float(np.percentile(darker, 98)) / 2, LEAST_CONTRAST)
    return np.asarray(darker > contrast)


def _letter(ink: Mask) -> float | None:
    """The usual height of a small letter in pixels; None where nothing is written."""
    found = parts(ink)
    heights = (found.boxes[:, 2] - found.boxes[:, 0]).astype(np.float64)
    written = (heights >= 5) & (heights < ink.shape[0] / 3)
    if not written.any():
        return None
    # by ink and not by count: dots and specks are many
    areas, heights = found.areas[written], heights[written]
    order = np.argsort(heights)
    middle = np.searchsorted(np.cumsum(areas[order]), areas.sum() / 2)
    return float(max(heights[order][middle] * SMALL, LEAST_LETTER))


def _without_rules(ink: Mask, letter: float) -> Mask:
    length = max(15, int(RULE * letter))
    return np.asarray(ink & ~opened(ink, length, 0) & ~opened(ink, length, 1))
