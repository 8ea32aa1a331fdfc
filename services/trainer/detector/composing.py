"""Pages written with fonts, on papers that real pages at hand do not show."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from recognizer.layout import Line
from trainer.datasets import fonts, paper, prose
from trainer.detector.pages import Page

Ink = NDArray[np.uint8]


def compose(faces: Sequence[Path], rng: Generator) -> Page:
    """A page of lines in one hand: with margins, gaps, headings, rules, drawings, columns.

    Args:
        faces: files of the fonts to choose from.
    """
    width = int(rng.integers(560, 1000))
    height = int(width * rng.uniform(0.5, 1.5))
    spacing = width / rng.uniform(10, 32)
    sheet = Image.new("L", (width, height), 0)
    face = faces[int(rng.integers(len(faces)))]
    lines: list[Line] = []
    columns = 2 if rng.random() < 0.12 and spacing < width / 18 else 1
    gutter = width * 0.06
    room = (width - gutter * (columns - 1)) / columns
    for column in range(columns):
        left = column * (room + gutter) + room * rng.uniform(0.02, 0.12)
        right = column * (room + gutter) + room * rng.uniform(0.88, 1.0)
        lines += _written(sheet, face, (left, right), spacing, rng)
    ink = np.asarray(sheet).copy()
    if rng.random() < 0.4:
        _rule(ink, spacing, rng)
    if rng.random() < 0.4:
        _scribble(ink, lines, rng)
    pixels = paper.lay(ink, rng, line=max(8, int(spacing)))
    return Page(pixels, tuple(lines))


def _written(
    sheet: Image.Image,
    file: Path,
    between: tuple[float, float],
    spacing: float,
    rng: Generator,
) -> list[Line]:
    """Lines of a column, from its top down."""
    face = fonts.load(file, max(10, int(spacing * rng.uniform(0.55, 1.0))))
    pen = ImageDraw.Draw(sheet)
    stroke = float(rng.uniform(0, 0.02) * spacing) if rng.random() < 0.5 else 0.0
    slope, (left, right) = rng.normal(0, 0.008), between
    y = spacing * rng.uniform(1, 3)
    lines = []
    while y < sheet.height - spacing / 2:
        y += spacing * (rng.uniform(1.4, 3) if rng.random() < 0.08 else rng.normal(1, 0.05))
        if rng.random() < 0.04:
            continue
        start = left + (room := right - left) * (rng.uniform(0, 0.5) if rng.random() < 0.15 else 0)
        end = right - (rng.uniform(0, 0.8) * room if rng.random() < 0.15 else 0)
        line = _line(pen, face, (start, end, y), slope, stroke, rng)
        if line:
            lines.append(line)
    return lines


def _line(
    pen: ImageDraw.ImageDraw,
    face: ImageFont.FreeTypeFont,
    place: tuple[float, float, float],
    slope: float,
    stroke: float,
    rng: Generator,
) -> Line | None:
    """One line of words; its polygon is as high as its letters reach."""
    start, end, y = place
    gap = face.getlength(" ") * rng.uniform(0.7, 1.8)
    tongue = prose.language(rng)
    x, base = start, []
    upper, lower = 0.0, 0.0
    for word in prose.line(rng, tongue, longest=120).split(" "):
        length = face.getlength(word)
        if x + length > end:
            break
        foot = y + slope * (x - start) + rng.normal(0, 0.02) * face.size
        pen.text((x, foot), word, fill=255, font=face, anchor="ls", stroke_width=stroke)
        _, top, _, bottom = face.getbbox(word, anchor="ls")
        upper, lower = max(upper, -top), max(lower, bottom)
        base += [(x, foot), (x + length, foot)]
        x += length + gap * rng.uniform(0.75, 1.3)
    if not base or upper + lower < 4:
        return None
    above, below = upper + 0.08 * face.size, max(lower, 0.15 * face.size) + 0.05 * face.size
    outline = [(x, foot - above) for x, foot in base]
    outline += [(x, foot + below) for x, foot in reversed(base)]
    return Line(polygon=tuple(outline), baseline=tuple(base))


def _rule(ink: Ink, spacing: float, rng: Generator) -> None:
    """Ruled or squared paper, and a margin: fainter than the writing."""
    strength, thick = int(rng.integers(30, 150)), int(rng.integers(1, 3))
    pitch = spacing * (1.0 if rng.random() < 0.6 else rng.uniform(0.3, 1.2))
    height, width = ink.shape
    layer = np.zeros_like(ink)
    for row in np.arange(rng.uniform(0, pitch), height, pitch):
        cv2.line(layer, (0, int(row)), (width, int(row)), strength, thick)
    if rng.random() < 0.3:
        for column in np.arange(rng.uniform(0, pitch), width, pitch):
            cv2.line(layer, (int(column), 0), (int(column), height), strength, thick)
    if rng.random() < 0.4:
        x = int(width * rng.uniform(0.05, 0.2))
        cv2.line(layer, (x, 0), (x, height), strength, thick)
    np.maximum(ink, layer, out=ink)


def _scribble(ink: Ink, lines: Sequence[Line], rng: Generator) -> None:
    """A drawing, a blot or a stroke where nothing is written."""
    height, width = ink.shape
    taken = np.zeros(ink.shape, np.uint8)
    for line in lines:
        cv2.fillPoly(taken, [np.rint(np.array(line.polygon)).astype(np.int32)], 1)
    layer = np.zeros_like(ink)
    for _ in range(int(rng.integers(1, 5))):
        centre = rng.uniform((0, 0), (width, height))
        points = centre + rng.normal(
            0, rng.uniform(0.02, 0.12) * width, (int(rng.integers(2, 9)), 2)
        )
        colour, thick = int(rng.integers(80, 255)), int(rng.integers(1, 5))
        if rng.random() < 0.3:
            axes = tuple(int(value) for value in rng.uniform(4, 0.12 * width, 2))
            cv2.ellipse(layer, centre.astype(int).tolist(), axes, 0, 0, 360, colour, thick)
        else:
            cv2.polylines(layer, [points.astype(np.int32)], rng.random() < 0.3, colour, thick)
    np.maximum(ink, layer * (1 - taken), out=ink)
