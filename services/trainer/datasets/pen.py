"""Text drawn with a handwriting font, the way a hand sets words on a line."""

import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

from recognizer.image import Gray
from trainer.datasets import fonts

OVERSAMPLED = 2  # drawn larger and scaled down: strokes of less than a pixel come out right
SPACED = 0.5  # share of lines whose letters stand closer together or wider apart
JOINED = "nunmaneulamcen"  # letters that join in every hand that joins any
NEIGHBOURS = 0.25  # share of lines into which strokes of the lines above and below reach


def write(text: str, font: Path, rng: Generator, *, spaced: bool = False) -> Gray:
    """Draw a text in one hand.

    Args:
        font: file of the font.
        rng: where size, slant, spacing, drift and thickness come from.
        spaced: set the letters of some lines closer together or wider apart, where they stand
            apart in this font. The strokes are what they are without.

    Returns:
        Ink, 0 none to 255 full, cut out round the text, about 50 to 100 pixels high.
    """
    size = int(rng.integers(34, 60)) * OVERSAMPLED
    face = fonts.load(font, size)
    gap = face.getlength(" ") * rng.uniform(0.7, 1.8)
    ascent, descent = face.getmetrics()
    words = text.split(" ")
    tracking = size * _tracking(rng.spawn(1)[0]) if spaced and not joins(font) else 0.0
    advances = [face.getlength(word) + tracking * (len(word) - 1) for word in words]
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
        for place, piece in _pieces(word, face, tracking):
            pen.text((x + place, y), piece, fill=255, font=face, stroke_width=stroke)
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


def _tracking(rng: Generator) -> float:
    """How much wider apart than usual letters stand, as a share of the size of the font."""
    return float(np.clip(rng.normal(0, 0.03), -0.04, 0.08)) if rng.random() < SPACED else 0.0


def _pieces(
    word: str, face: ImageFont.FreeTypeFont, tracking: float
) -> Iterator[tuple[float, str]]:
    """What a word is drawn of and where: whole, or its letters, which keep their kerning."""
    if not tracking:
        yield 0.0, word
        return
    for number, letter in enumerate(word):
        before = face.getlength(word[: number + 1]) - face.getlength(letter)
        yield before + number * tracking, letter


@lru_cache(maxsize=1024)
def joins(font: Path) -> bool:
    """Whether some of its letters join those beside them: apart they would be torn."""
    face = fonts.load(font, 100)
    image = Image.new("L", (int(face.getlength(JOINED)) + 200, 300), 0)
    ImageDraw.Draw(image).text((100, 100), JOINED, fill=255, font=face)
    parts = cv2.connectedComponents((np.asarray(image) > 100).astype(np.uint8))[0] - 1
    return parts < len(JOINED)


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
