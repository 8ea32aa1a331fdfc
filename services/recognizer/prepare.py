"""From gray pixels to the network's input."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recognizer.image import Gray
from recognizer.levels import percentiles
from recognizer.manifest import Input

Ink = NDArray[np.float32]
"""How much ink each pixel holds, shape (height, width), 0 for paper to 1 for the darkest."""

# A blank image has noise and no ink: contrast is stretched no further than this many gray levels.
LEAST_CONTRAST = 48.0


@dataclass(frozen=True)
class Prepared:
    """One image, ready for the network.

    `ink` has the shape (input.height, width of a bucket); `scale` is how many columns of it
    one column of the original image takes, `left` where that image begins in it.
    """

    ink: Ink
    scale: float
    left: int

    def column(self, step: float, stride: int, width: int) -> float:
        """The column of the original image, `width` wide, at a time step of the network."""
        return min(max((step * stride - self.left) / self.scale, 0.0), float(width))


def prepare(gray: Gray, spec: Input) -> Prepared:
    """Scale to the network's height, turn gray into ink, pad to the image's own bucket.

    The aspect is kept, unless the image is wider than the widest bucket: then it is
    squeezed into it. Everything here depends on this image alone.

    Args:
        gray: dark ink on light paper, shape (height, width).
    """
    height, width = gray.shape
    room = spec.buckets[-1] - 2 * spec.margin
    columns = min(max(1, round(width * spec.height / height)), room)
    scaled = np.asarray(
        Image.fromarray(gray).resize((columns, spec.height), Image.Resampling.BILINEAR)
    )
    bucket = bucket_of(columns + 2 * spec.margin, spec)
    padded = np.zeros((spec.height, bucket), np.float32)
    ink_of(scaled, out=padded[:, spec.margin : spec.margin + columns])
    return Prepared(padded, scale=columns / width, left=spec.margin)


def bucket_of(columns: int, spec: Input) -> int:
    """The narrowest bucket that holds `columns`, or the widest there is."""
    return next((width for width in spec.buckets if width >= columns), spec.buckets[-1])


def ink_of(gray: Gray, out: Ink | None = None) -> Ink:
    """Paper to 0 and the darkest strokes to 1, whatever the scanner's exposure was.

    Args:
        out: where to put it, of the shape of `gray`; None for an array of its own.
    """
    darkest, paper = percentiles(gray, (1, 70))
    contrast = max(float(paper - darkest), LEAST_CONTRAST)
    # in place: the memory of a line is new to the process each time, and costs more than the sums
    ink: Ink = np.subtract(np.float32(paper), gray, out=out)
    ink /= np.float32(contrast)
    return np.clip(ink, 0, 1, out=ink)
