"""What a dataset holds, in numbers and in a picture of samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trainer.datasets.base import SPLITS, Dataset, Sample, Split
from trainer.datasets.weighted import weight_of

SHOWN = 8  # samples of each dataset in a picture
WIDTH, HEIGHT, TITLE, CAPTION = 1100, 48, 36, 26  # pixels; HEIGHT of a sample's image


@dataclass(frozen=True)
class Inventory:
    """A dataset in numbers."""

    name: str
    level: str
    weight: float
    samples: dict[Split, int]
    documents: dict[Split, int]
    characters: str
    """All that its texts hold, by code point."""
    lengths: tuple[int, int]
    """Characters of a sample: the median, and the most."""
    skipped: dict[str, int]
    licence: str

    def outside(self, alphabet: str) -> str:
        """Its characters that an alphabet lacks."""
        return "".join(character for character in self.characters if character not in alphabet)


def inventory(dataset: Dataset) -> Inventory:
    """Count what a dataset holds."""
    splits = {split: dataset.samples(split) for split in SPLITS}
    texts = [sample.text for samples in splits.values() for sample in samples]
    lengths = [len(text) for text in texts] or [0]
    return Inventory(
        name=dataset.name,
        level=getattr(getattr(dataset, "dataset", dataset), "level", "line"),
        weight=weight_of(dataset),
        samples={split: len(samples) for split, samples in splits.items()},
        documents={
            split: len({sample.document for sample in samples}) for split, samples in splits.items()
        },
        characters="".join(sorted(set().union(*map(set, texts)))),
        lengths=(round(median(lengths)), max(lengths)),
        skipped=dict(dataset.skipped),
        licence=dataset.licence,
    )


def picture_samples(datasets: Sequence[Dataset], file: Path, *, shown: int = SHOWN) -> None:
    """Write a picture with some training samples of each dataset, each above its text.

    Args:
        file: its suffix says which format.
        shown: samples of each dataset, of as many documents as there are.

    Raises:
        OSError, ValueError: the file cannot be written, or its suffix is of no image.
    """
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    bold = ImageFont.truetype(fonts / "DejaVuSans-Bold.ttf", 18)
    plain = ImageFont.truetype(fonts / "DejaVuSans.ttf", 14)
    rows = [(dataset, _spread(dataset, shown)) for dataset in datasets]
    height = sum(TITLE + len(samples) * (HEIGHT + CAPTION) for _, samples in rows) + 10
    sheet = Image.new("L", (WIDTH, height), 235)
    draw = ImageDraw.Draw(sheet)
    y = 0
    for dataset, samples in rows:
        draw.text((10, y + 8), dataset.name, fill=0, font=bold)
        after = 24 + draw.textlength(dataset.name, font=bold)
        draw.text((after, y + 11), dataset.licence, fill=90, font=plain)
        y += TITLE
        for sample in samples:
            caption = f"{sample.text}   [{sample.document}]"
            try:
                pixels = Image.fromarray(sample.image())
                scale = min(HEIGHT / pixels.height, (WIDTH - 20) / pixels.width)
                size = tuple(max(1, round(length * scale)) for length in pixels.size)
                sheet.paste(pixels.resize((size[0], size[1])), (10, y))
            except Exception as error:  # a broken image is what somebody looks for in a picture
                caption = f"{sample.id} cannot be read: {error}"
            draw.text((10, y + HEIGHT + 2), caption, fill=60, font=plain)
            y += HEIGHT + CAPTION
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(file)


def _spread(dataset: Dataset, count: int) -> list[Sample]:
    """Some samples, always the same, of different documents as long as there are any."""
    samples = next((found for split in SPLITS if (found := dataset.samples(split))), [])
    order = np.random.default_rng(0).permutation(len(samples))
    first: list[Sample] = []
    rest: list[Sample] = []
    seen: set[str] = set()
    for index in order:
        sample = samples[int(index)]
        (rest if sample.document in seen else first).append(sample)
        seen.add(sample.document)
    return (first + rest)[:count]
