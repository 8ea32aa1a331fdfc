"""Words and lines composed of EMNIST's characters: many hands in each line, none in two splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from recognizer.image import Gray
from trainer.datasets import paper, prose
from trainer.datasets.base import SPLITS, DatasetError, Made, Sample, Split
from trainer.datasets.emnist_files import LICENCE, Characters
from trainer.datasets.emnist_splits import SHARES, character_splits, shuffled

WORDS = 0.35
"""Share of single words."""
MOST_OF_A_CLASS = 2000
"""Images of one character that are used of a split: each process keeps them in memory."""
FEWEST_DIVIDED = 10
"""Sentences: fewer serve all splits."""
TRIES = 100
"""At a text that has a character of those at hand."""

# Heights above the baseline and depths below it, of a capital's height. EMNIST has every character
# of the same size.
LOW, X_HEIGHT, DEPTH = 0.0, 0.64, 0.34
SMALL = "acemnorsuvwxz"
HANGING = "gpqy"
SHAPES = {
    **dict.fromkeys(SMALL, (X_HEIGHT, LOW)),
    **dict.fromkeys(HANGING, (X_HEIGHT, DEPTH)),
    "i": (0.9, LOW),
    "t": (0.9, LOW),
    "j": (0.9, DEPTH),
}


@dataclass(frozen=True, slots=True)
class EmnistSample:
    """A text, the images of its characters by number, and the seed of everything else."""

    id: str
    text: str
    folder: Path
    split: Split
    characters: tuple[int, ...]
    """Of the text without its spaces."""
    seed: tuple[int, ...]

    @property
    def document(self) -> str:
        """EMNIST does not say whose hand wrote a character: each sample is one of its own."""
        return self.id

    def image(self) -> Gray:
        rng = np.random.default_rng(self.seed)
        pool = pools(self.folder, self.seed[0])[self.split]
        ink = compose(self.text, [pool.ink[number] for number in self.characters], rng)
        return paper.lay(ink, rng)


class EmnistDataset(Made):
    """Seeded: the same files, seed and sizes give the same texts and images everywhere.

    No image of a character is in two splits. EMNIST's test part is the test split and its train
    part the others; of a folder that has one part alone a tenth is for validation and a tenth for
    the test.
    """

    name = "emnist"
    licence = LICENCE

    def __init__(
        self,
        folder: Path,
        *,
        train: int = 20_000,
        val: int = 300,
        test: int = 300,
        texts: Path | None = None,
        seed: int = 1,
    ) -> None:
        """Choose texts and characters; images are composed when they are asked for.

        Args:
            texts: a file with a sentence on each line; None writes of frequent words. Of ten
                sentences or more, each split has its own.

        Raises:
            DatasetError: no files of EMNIST in the folder, or no sentence in the file.
        """
        sizes: dict[Split, int] = {"train": train, "val": val, "test": test}
        sentences = _sentences(texts, seed) if texts else {}
        samples: dict[Split, list[Sample]] = {}
        for number, split in enumerate(SPLITS):
            rng = np.random.default_rng((seed, number))
            pool = pools(folder, seed)[split]
            of = {chr(code): np.flatnonzero(pool.codes == code) for code in np.unique(pool.codes)}
            own = sentences.get(split, ())
            samples[split] = [
                self._sample(folder, split, (seed, number, index), of, own, rng)
                for index in range(sizes[split])
            ]
        self._samples = samples

    @staticmethod
    def _sample(
        folder: Path,
        split: Split,
        seed: tuple[int, ...],
        of: Mapping[str, NDArray[np.int64]],
        sentences: Sequence[str],
        rng: Generator,
    ) -> Sample:
        for _ in range(TRIES):
            text = _writable(_text(rng, sentences), of)
            if text:
                chosen = tuple(int(rng.choice(of[each])) for each in text if each != " ")
                id_ = f"emnist/{split}/{seed[-1]:06d}"
                return EmnistSample(id_, text, folder, split, chosen, seed)
        raise DatasetError("The texts have next to no character that EMNIST has in this folder.")


@lru_cache(maxsize=2)
def pools(folder: Path, seed: int) -> dict[Split, Characters]:
    """The characters of each split. Kept, as every sample looks into them.

    Raises:
        DatasetError: as `character_splits`.
    """
    divided = character_splits(folder, seed)
    return {split: _fewer(divided.of[split]) for split in SPLITS}


def compose(text: str, inks: Sequence[NDArray[np.uint8]], rng: Generator) -> Gray:
    """Set characters on a line, some so near that they touch.

    Args:
        inks: images of the characters but for spaces, each (28, 28), 0 none to 255 full.

    Returns:
        Ink, 0 none to 255 full, cut out round the text.
    """
    capital = rng.uniform(30, 56)
    gap, space = capital * rng.uniform(-0.08, 0.1), capital * rng.uniform(0.4, 0.9)
    pad = int(capital * 0.2)
    baseline = pad + int(1.15 * capital)
    height = baseline + int((DEPTH + 0.1) * capital) + pad
    placed: list[tuple[int, int, NDArray[np.uint8]]] = []
    x = float(pad)
    left = iter(inks)
    for character in text:
        if character == " ":
            x += space * rng.uniform(0.75, 1.3)
            continue
        above, below = SHAPES.get(character, (1.0, LOW))
        glyph = _sized(next(left), (above + below) * capital * rng.uniform(0.92, 1.08), capital)
        top = baseline + below * capital - len(glyph) + capital * rng.normal(0, 0.02)
        placed.append((round(np.clip(top, 0, height - len(glyph))), max(0, round(x)), glyph))
        x += glyph.shape[1] + max(gap + capital * rng.normal(0, 0.05), -0.15 * capital)
    width = max(at + glyph.shape[1] for _, at, glyph in placed) + pad
    ink = np.zeros((height, width), np.uint8)
    for row, column, glyph in placed:
        part = ink[row : row + len(glyph), column : column + glyph.shape[1]]
        np.maximum(part, glyph, out=part)
    return ink


def _sized(ink: NDArray[np.uint8], height: float, capital: float) -> NDArray[np.uint8]:
    """A character cut out and scaled to its height, no wider than a wide capital."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return np.zeros((1, 1), np.uint8)
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = min(height / len(cut), 1.3 * capital / cut.shape[1])
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(len(cut) * scale)))
    return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _fewer(whole: Characters) -> Characters:
    """At most `MOST_OF_A_CLASS` of each character."""
    kept = np.concatenate(
        [np.flatnonzero(whole.codes == code)[:MOST_OF_A_CLASS] for code in np.unique(whole.codes)]
    )
    return whole.chosen(kept)


def _sentences(file: Path, seed: int) -> dict[Split, list[str]]:
    """The sentences of each split: a text that was learnt by heart is no text that was read."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file} cannot be read: {error}.") from error
    found = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not found:
        raise DatasetError(f"{file} has no sentence in it.")
    if len(found) < FEWEST_DIVIDED:
        return dict.fromkeys(SPLITS, found)
    return {
        split: [found[number] for number in numbers]
        for split, numbers in zip(SPLITS, shuffled(len(found), SHARES, seed), strict=True)
    }


def _text(rng: Generator, sentences: Sequence[str]) -> str:
    single = rng.random() < WORDS
    if not sentences:
        return prose.word(rng) if single else prose.line(rng)
    words = sentences[int(rng.integers(len(sentences)))].split()
    count = 1 if single else int(rng.integers(3, 9))
    first = int(rng.integers(max(1, len(words) - count + 1)))
    return " ".join(words[first : first + count])


def _writable(text: str, of: Mapping[str, object]) -> str:
    """The text without what EMNIST has not: punctuation and accents."""
    return " ".join("".join(each for each in text if each == " " or each in of).split())
