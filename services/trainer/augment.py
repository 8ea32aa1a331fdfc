"""Random changes of an image that leave its text as it was.

One smooth displacement field carries slant, rotation, scale and elastic bends, so the
image is resampled once. Strokes are thickened or thinned, the light is made uneven and
the scan noisy. Every random number comes from the generator given.
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from recognizer.image import Gray


def augment(gray: Gray, rng: Generator) -> Gray:
    """A changed copy: same text, other size, shape, stroke and light.

    Args:
        gray: dark ink on light paper, shape (height, width).
        rng: where all randomness comes from.
    """
    paper = int(np.percentile(gray, 70))
    gray = _frame(gray, paper, rng)
    gray = _bend(gray, paper, rng)
    gray = _stroke(gray, rng)
    return _scan(gray, rng)


def _frame(gray: Gray, paper: int, rng: Generator) -> Gray:
    """Paper added above and below or cut off: the scale of letters must be learnt."""
    height = gray.shape[0]
    most = 0.35 if rng.random() < 0.3 else 0.1
    above, below = (int(height * rng.uniform(-0.06, most)) for _ in range(2))
    left, right = (int(height * rng.uniform(-0.03, 0.3)) for _ in range(2))
    inner = gray[max(-above, 0) : height - max(-below, 0)]
    if inner.shape[1] > height:
        inner = inner[:, max(-left, 0) : inner.shape[1] + min(right, 0)]
    sides = (max(above, 0), max(below, 0), max(left, 0), max(right, 0))
    return _gray(cv2.copyMakeBorder(inner, *sides, cv2.BORDER_CONSTANT, value=paper))


def _bend(gray: Gray, paper: int, rng: Generator) -> Gray:
    height, width = gray.shape
    stretch = float(np.exp(rng.normal(0, 0.12)))
    new_width = max(8, round(width * stretch))
    slant = rng.normal(0, 0.18)
    turn = np.tan(np.radians(np.clip(rng.normal(0, 0.7), -2, 2)))
    # a turn must not carry the ends of a long line out of the picture
    turn = float(np.clip(turn, -0.15 * height / new_width, 0.15 * height / new_width))
    x, y = np.meshgrid(np.arange(new_width, dtype=np.float32), np.arange(height, dtype=np.float32))
    centre_y = y - height / 2
    source_x = x / np.float32(stretch) + np.float32(slant) * centre_y
    source_y = y + np.float32(turn) * (x - new_width / 2)
    strength = height * rng.uniform(0, 0.045)
    source_x += _waves(height, new_width, strength * 1.4, rng)
    source_y += _waves(height, new_width, strength, rng)
    return _gray(
        cv2.remap(
            gray,
            source_x.astype(np.float32),
            source_y.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=paper,
        )
    )


def _waves(height: int, width: int, strength: float, rng: Generator) -> NDArray[np.float32]:
    """A smooth random field: coarse noise, one knot every half height, enlarged."""
    knots = rng.normal(0, strength, (3, max(2, 2 * width // height))).astype(np.float32)
    return np.asarray(cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _stroke(gray: Gray, rng: Generator) -> Gray:
    """Thicker, thinner or softer strokes. Dark is ink, so eroding thickens."""
    chance = rng.random()
    if chance < 0.2:
        kernel = np.ones((2, 2), np.uint8)
        changed = cv2.erode(gray, kernel) if rng.random() < 0.6 else cv2.dilate(gray, kernel)
        share = rng.uniform(0.3, 1)
        return _gray(cv2.addWeighted(changed, share, gray, 1 - share, 0))
    if chance < 0.45:
        return _gray(cv2.GaussianBlur(gray, (0, 0), rng.uniform(0.4, 1.3)))
    if chance < 0.55:  # a coarse scan
        scale = rng.uniform(0.45, 0.8)
        small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return _gray(cv2.resize(small, gray.shape[::-1], interpolation=cv2.INTER_LINEAR))
    return gray


def _scan(gray: Gray, rng: Generator) -> Gray:
    values = gray.astype(np.float32)
    if rng.random() < 0.3:  # light falls from one side
        left, right = rng.uniform(-25, 25, 2)
        values += np.linspace(left, right, gray.shape[1], dtype=np.float32)
    if rng.random() < 0.3:
        values += rng.normal(0, rng.uniform(2, 10), gray.shape).astype(np.float32)
    if rng.random() < 0.5:  # faint or strong ink
        paper = np.float32(np.percentile(gray, 70))
        values = paper + (values - paper) * np.float32(rng.uniform(0.5, 1.2))
    return np.clip(values, 0, 255).astype(np.uint8)


def _gray(values: object) -> Gray:
    return np.asarray(values, np.uint8)
