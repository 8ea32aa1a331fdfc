"""Write the images of examples/ and the one of the web page.

`.venv/bin/python -m tools.examples`, from the repository root.

Rendered by the trainer's own generator, in fonts that no training uses, so that they may
be passed on freely and show a text the model has not learnt by heart.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "services"))

from trainer.datasets import fonts  # noqa: E402  # after the path it is found by
from trainer.datasets.synthetic import render  # noqa: E402

TEXTS = {
    "line": "Please meet me at the station on Friday",
    "letter": "Dear Margaret, thank you for the books",
    "date": "London, 14 March 1895",
    "word": "handwriting",
}

LETTER = (
    "My dear Eleanor,",
    "The books came on Tuesday, all of them dry.",
    "We read the first aloud in the evening while",
    "the rain went on, and nobody asked for the",
    "lamp until it was over. Come before the end",
    "of May, if the roads allow it.",
    "Yours, Thomas",
)
SIZE, SPACING, MARGIN = 46, 74, 70


def letter(font: Path) -> Image.Image:
    """A page whose lines rise a little, as on paper without rules."""
    face = fonts.load(font, SIZE)
    sheet = Image.new("L", (1060, SPACING * (len(LETTER) + 2)), 244)
    pen = ImageDraw.Draw(sheet)
    for number, text in enumerate(LETTER):
        left = MARGIN + (560 if number == len(LETTER) - 1 else 45 * (number == 1))
        pen.text((left, SPACING * (number + 1.6)), text, fill=58, font=face, anchor="ls")
    turned = sheet.rotate(0.7, Image.Resampling.BICUBIC, fillcolor=244)
    return turned.filter(ImageFilter.GaussianBlur(0.5)).quantize(16)


def main() -> None:
    folder = ROOT / "examples"
    folder.mkdir(exist_ok=True)
    choices = [*fonts.files("val"), *fonts.files("test")]
    for number, (name, text) in enumerate(TEXTS.items()):
        font = choices[(number * 3 + 1) % len(choices)]
        gray = render(text, font, np.random.default_rng((2, number)))
        Image.fromarray(gray).save(folder / f"{name}.png", optimize=True)
        print(f"examples/{name}.png\t{text}")
    shown = ROOT / "services" / "api" / "page" / "example.png"
    letter(fonts.files("val")[1]).save(shown, optimize=True)
    print(f"{shown.relative_to(ROOT)}\t{' / '.join(LETTER)}")


if __name__ == "__main__":
    main()
