"""Pages of several lines in a handwriting font, whose texts and places are known."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from recognizer.image import Gray
from recognizer.layout import Line
from trainer.datasets import fonts

TEXTS = ("Dear Mr Smith", "the weather was fine", "and we went home", "in the evening")
FACE = "caveat"


def sheet(
    texts: Sequence[str] = TEXTS, *, size: int = 44, left: int = 60, ruled: bool = False
) -> tuple[Gray, list[Line]]:
    """A page, and where its lines are."""
    file = next(file for file in fonts.files("train") if FACE in str(file).lower())
    face = fonts.load(file, size)
    spacing = int(1.5 * size)
    image = Image.new("L", (900, spacing * (len(texts) + 2)), 235)
    pen = ImageDraw.Draw(image)
    lines = []
    for number, text in enumerate(texts):
        foot = spacing * (number + 2)
        if ruled:
            pen.line((0, foot + 4, image.width, foot + 4), fill=150, width=2)
        pen.text((left, foot), text, fill=40, font=face, anchor="ls")
        x0, y0, x1, y1 = (float(v) for v in pen.textbbox((left, foot), text, face, anchor="ls"))
        lines.append(
            Line(
                polygon=((x0, y0 - 3), (x1, y0 - 3), (x1, y1 + 3), (x0, y1 + 3)),
                baseline=((x0, float(foot)), (x1, float(foot))),
            )
        )
    return np.asarray(image), lines


def png(gray: Gray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(gray).save(stream, "PNG")
    return stream.getvalue()
