"""Text drawn with a handwriting font, the way a hand sets words on a line."""

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

from recognizer.image import Gray
from trainer.datasets import fonts

OVERSAMPLED = 2  # drawn larger and scaled down: strokes of less than a pixel come out right
NEIGHBOURS = 0.25  # share of lines into which strokes of the lines above and below reach


def write(text: str, font: Path, rng: Generator) -> Gray:
    """Draw a text in one hand.

    Args:
        font: file of the font.
        rng: where size, slant, spacing, drift and thickness come from.

    Returns:
        Ink, 0 none to 255 full, cut out round the text, about 50 to 100 pixels high.
    """
    size = int(rng.integers(34, 60)) * OVERSAMPLED
    face = fonts.load(font, size)
    gap = face.getlength(" ") * rng.uniform(0.7, 1.8)
    ascent, descent = face.getmetrics()
    words = text.split(" ")
    advances = [face.getlength(word) for word in words]
    pad = size
    width = int(sum(advances) + 1.3 * gap * (len(words) - 1)) + 2 * pad
    height = ascent + descent + 2 * pad
    image = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(image)
    stroke = float(rng.choice([0.0, rng.uniform(0, 1.2), rng.uniform(0.5, 2.2)]))
    drift, wave = rng.uniform(-0.012, 0.012), size * abs(rng.normal(0, 0.03))
    phase, jitter = rng.uniform(0, 6.3), size * rng.uniform(0, 0.03)
    x = float(pad)
    for word, advance in zip(words, advances, strict=True):
        y = pad + drift * (x - width / 2) + wave * math.sin(x / (4 * size) + phase)
        y += float(np.clip(rng.normal(0, jitter), -0.12 * size, 0.12 * size))
        pen.text((x, y), word, fill=255, font=face, stroke_width=stroke)
        x += advance + gap * rng.uniform(0.75, 1.3)
    ink = np.asarray(image)
    box = _box(ink, (pad, pad + ascent + descent), size, rng)
    if rng.random() < NEIGHBOURS:
        ink = _with_neighbours(ink, text, face, (ascent + descent) * rng.uniform(0.75, 1.1), rng)
    ink = ink[box]
    if rng.random() < 0.6:
        ink = _slant(ink, rng.normal(0, 0.15))
    stretch = float(np.exp(rng.normal(0, 0.12)))
    small = (
        max(8, round(ink.shape[1] * stretch / OVERSAMPLED)),
        max(8, ink.shape[0] // OVERSAMPLED),
    )
    return np.asarray(cv2.resize(ink, small, interpolation=cv2.INTER_AREA), np.uint8)


def _with_neighbours(
    ink: Gray, text: str, face: ImageFont.FreeTypeFont, distance: float, rng: Generator
) -> Gray:
    """The ends of long letters from the lines above and below, of the same hand and words."""
    image = Image.new("L", ink.shape[::-1], 0)
    pen = ImageDraw.Draw(image)
    words = text.split(" ")
    for side in (-1, 1):
        if rng.random() < 0.6:
            rng.shuffle(words)
            place = (rng.uniform(-0.5, 1.5) * face.size, face.size + side * distance)
            pen.text(place, " ".join(words), fill=255, font=face)
    return np.asarray(np.maximum(ink, np.asarray(image)), np.uint8)


def _slant(ink: Gray, slope: float) -> Gray:
    height, width = ink.shape
    room = int(abs(slope) * height / 2) + 1
    matrix = np.array([[1, slope, room - slope * height / 2], [0, 1, 0]], np.float32)
    return np.asarray(cv2.warpAffine(ink, matrix, (width + 2 * room, height)), np.uint8)


def _box(ink: Gray, band: tuple[int, int], size: int, rng: Generator) -> tuple[slice, slice]:
    """What a line finder would cut out: tight or generous, round the ink or the whole line."""
    rows, columns = (np.flatnonzero(ink.max(axis=axis) > 32) for axis in (1, 0))
    if not len(rows):
        return slice(None), slice(None)
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    if rng.random() < 0.4:  # the line keeps room for long letters where it has none
        top, bottom = min(top, band[0] + size // 6), max(bottom, band[1] - size // 6)
    above, below, left, right = (int(size * share) for share in rng.uniform(0.02, 0.3, 4))
    return (
        slice(max(top - above, 0), bottom + below),
        slice(max(int(columns[0]) - left, 0), int(columns[-1]) + 1 + right),
    )
