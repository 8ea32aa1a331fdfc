"""Words and lines written with handwriting fonts: a dataset that needs no download."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.random import Generator

from recognizer.image import Gray
from trainer.datasets import fonts, paper, pen, prose
from trainer.datasets.base import SPLITS, DatasetError, Made, Sample, Split

Levels = Literal["word", "line", "both"]

WORDS_OF_BOTH = 0.35  # share of single words at level `both`
TRIES = 20  # at a font that has every character of a text


@dataclass(frozen=True, slots=True)
class SyntheticSample:
    """A text, the font that writes it, and the seed of everything else about its image."""

    id: str
    text: str
    font: Path
    seed: tuple[int, ...]
    spaced: bool = False
    """See `pen.write`. In training alone: figures on the other splits stay what they were."""

    @property
    def document(self) -> str:
        return self.font.stem

    def image(self) -> Gray:
        rng = np.random.default_rng(self.seed)
        return render(self.text, self.font, rng, spaced=self.spaced)


class SyntheticDataset(Made):
    """Seeded: the same seed and sizes give the same texts and images everywhere.

    Validation and test are written with fonts that training never sees.
    """

    name = "synthetic"

    def __init__(
        self,
        *,
        train: int = 20_000,
        val: int = 300,
        test: int = 300,
        level: Levels = "both",
        seed: int = 1,
        font_dir: Path | None = None,
    ) -> None:
        """Choose texts and fonts; images are drawn when they are asked for.

        Args:
            font_dir: folder of further fonts to train with.

        Raises:
            DatasetError: a size is negative, a font package is missing, or the folder holds
                no font.
        """
        if min(train, val, test) < 0:
            raise DatasetError("A split of the synthetic dataset cannot be smaller than 0.")
        sizes: dict[Split, int] = {"train": train, "val": val, "test": test}
        others = f" and {font_dir.name}/ (licences there)" if font_dir else ""
        self.licence = (
            f"synthetic: rendered from fonts under the SIL Open Font License 1.1{others}; word "
            "frequencies from wordfreq (CC BY-SA 4.0)"
        )
        more = fonts.in_folder(font_dir) if font_dir else ()
        samples: dict[Split, list[Sample]] = {}
        for number, split in enumerate(SPLITS):
            rng = np.random.default_rng((seed, number))
            choices = (
                fonts.files(split) + (more if split == "train" else ()) if sizes[split] else ()
            )
            samples[split] = [
                self._sample(split, (seed, number, index), level, choices, rng)
                for index in range(sizes[split])
            ]
        self._samples = samples

    @staticmethod
    def _sample(
        split: Split,
        seed: tuple[int, ...],
        level: Levels,
        choices: Sequence[Path],
        rng: Generator,
    ) -> Sample:
        single = level == "word" or (level == "both" and rng.random() < WORDS_OF_BOTH)
        write = prose.word if single else prose.line
        for _ in range(TRIES):
            text = write(rng, prose.language(rng))
            font = choices[int(rng.integers(len(choices)))]
            if _written(font, text):
                break
        else:
            raise DatasetError(f"The font {font.name} lacks too many characters to write with.")
        name = f"synthetic/{split}/{seed[-1]:06d}"
        return SyntheticSample(name, text, font, seed, spaced=split == "train")


def render(text: str, font: Path, rng: Generator, *, spaced: bool = False) -> Gray:
    """Write a text with a font on some paper: dark ink on light, about 50 to 100 pixels high."""
    return paper.lay(pen.write(text, font, rng, spaced=spaced), rng)


def _written(font: Path, text: str) -> bool:
    return set(text) - {" "} <= fonts.characters(font)
