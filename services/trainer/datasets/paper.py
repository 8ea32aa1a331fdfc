"""Ink laid on paper, and the paper scanned."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from recognizer.image import Gray

Tones = NDArray[np.float32]


def lay(ink: Gray, rng: Generator, *, line: int | None = None) -> Gray:
    """An image of ink on some paper, as a scanner or a camera sees it.

    Args:
        ink: 0 none to 255 full, shape (height, width).
        rng: where paper, ruling, pen and scan come from.
        line: rows that a line of writing takes; None: all of them.

    Returns:
        Dark ink on light paper, of the same shape.
    """
    line = line or ink.shape[0]
    tone = rng.uniform(150, 255) if rng.random() < 0.5 else rng.uniform(225, 255)
    paper = np.full(ink.shape, tone, np.float32)
    if rng.random() < 0.5:
        paper += _clouds(ink.shape, line, rng.uniform(0.3, 3), rng.uniform(1, 9), rng)
    if rng.random() < 0.35:
        _rule(paper, line, rng)
    if rng.random() < 0.12:  # writing on the other side shines through
        behind = cv2.GaussianBlur(ink[::-1, ::-1], (0, 0), rng.uniform(0.8, 2.0))
        paper -= behind.astype(np.float32) / 255 * np.float32(rng.uniform(8, 45))
    strength = _pen(ink, line, rng)
    pen = np.float32(tone * rng.uniform(0, 0.45) if rng.random() < 0.8 else tone * 0.65)
    values = paper * (1 - strength) + pen * strength
    if rng.random() < 0.6:
        values += rng.normal(0, rng.uniform(0.5, 6), ink.shape).astype(np.float32)
    gray = np.clip(values, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        gray = _compressed(gray, int(rng.integers(25, 85)))
    return gray


def _pen(ink: Gray, line: int, rng: Generator) -> Tones:
    """How much of the paper the ink covers, 0 to 1: soft, uneven or broken strokes."""
    strength = ink.astype(np.float32) / 255 * np.float32(rng.uniform(0.7, 1.0))
    if rng.random() < 0.4:
        strength = np.asarray(cv2.GaussianBlur(strength, (0, 0), rng.uniform(0.3, 0.9)))
    if rng.random() < 0.5:  # pressure changes along the line
        clouds = _clouds(ink.shape, line, rng.uniform(0.3, 2), rng.uniform(0.1, 0.4), rng)
        strength *= 1 - np.abs(clouds)
    if rng.random() < 0.2:  # a ballpoint or a dry nib leaves gaps
        gaps = _clouds(ink.shape, line, rng.uniform(8, 20), 1.0, rng)
        strength *= np.where(gaps > rng.uniform(0.9, 1.8), np.float32(0.3), np.float32(1))
    return np.clip(strength, 0, 1)


def _rule(paper: Tones, line: int, rng: Generator) -> None:
    """Ruled or squared paper."""
    height, width = paper.shape
    dark = np.float32(rng.uniform(10, 70))
    thick = max(1, round(line / 60 * rng.uniform(0.5, 1.6)))
    distance = int(line * rng.uniform(0.3, 1.1))
    for row in range(int(line * rng.uniform(0.0, 0.9)) % distance, height, distance):
        paper[row : row + thick] -= dark
    if rng.random() < 0.4:
        for column in range(int(rng.integers(distance)), width, distance):
            paper[:, column : column + thick] -= dark


def _clouds(
    shape: tuple[int, ...], line: int, knots: float, strength: float, rng: Generator
) -> Tones:
    """Smooth noise with `knots` of its knots on the height of a line."""
    height, width = shape
    rows = max(2, round(knots * height / line))
    columns = max(2, round(knots * width / line))
    coarse = rng.normal(0, strength, (rows, columns)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))


def _compressed(gray: Gray, quality: int) -> Gray:
    data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
