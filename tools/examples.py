"""Write the images of examples/: `.venv/bin/python -m tools.examples` from the repository root.

Rendered by the trainer's own generator, in fonts that no training uses, so that they may
be passed on freely and show a text the model has not learnt by heart.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

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


def main() -> None:
    folder = ROOT / "examples"
    folder.mkdir(exist_ok=True)
    choices = [*fonts.files("val"), *fonts.files("test")]
    for number, (name, text) in enumerate(TEXTS.items()):
        font = choices[(number * 3 + 1) % len(choices)]
        gray = render(text, font, np.random.default_rng((2, number)))
        Image.fromarray(gray).save(folder / f"{name}.png", optimize=True)
        print(f"examples/{name}.png\t{text}")


if __name__ == "__main__":
    main()
