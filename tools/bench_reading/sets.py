"""The sets that are read: their samples, whether words or lines, and in which language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from trainer.datasets.base import Dataset, Sample, Split
from trainer.datasets.emnist import EmnistDataset
from trainer.datasets.synthetic import SyntheticDataset

Level = Literal["word", "line"]

MADE = (SyntheticDataset.name, EmnistDataset.name)
"""Sets that are composed: no figure on them is one on handwriting. They mix words and lines."""

ENGLISH = "eng"
LANGUAGES = {
    "copiste": "fra",
    "peraire": "fra",
    "poilus": "fra",
    "cremma_mss19": "fra",
    "cremma_mss20": "fra",
    "celestine": "fra",
    "timeus": "fra",
    "lectaurep": "fra",
    "front_justice": "fra",
    "fondue_mss18": "fra",
    "cremma_mss18": "fra",
}
"""Languages of sets by the last part of their names, as Tesseract writes them; else English."""


@dataclass(frozen=True)
class TestSet:
    """Samples of one level and language. A reader may be told both, never a text."""

    __test__ = False  # not a test, whatever pytest takes the name for

    name: str
    level: Level
    language: str
    samples: tuple[Sample, ...]


def sets_of(
    dataset: Dataset,
    split: Split,
    *,
    languages: Mapping[str, str],
    limit: int | None = None,
) -> list[TestSet]:
    """A split of a dataset as one set, or as two where it mixes words and lines.

    Args:
        languages: short name of a set -> language, before `LANGUAGES`.
        limit: at most the first so many samples.
    """
    samples = tuple(dataset.samples(split)[:limit])
    if not samples:
        return []
    short = dataset.name.rpartition("/")[2]
    language = languages.get(short) or LANGUAGES.get(short, ENGLISH)
    whole = TestSet(short, _level(samples), language, samples)
    if short not in MADE:
        return [whole]
    words = tuple(sample for sample in samples if " " not in sample.text)
    lines = tuple(sample for sample in samples if " " in sample.text)
    halves = [replace(whole, level="word", samples=words), replace(whole, samples=lines)]
    return [half for half in halves if half.samples]


def _level(samples: Sequence[Sample]) -> Level:
    return "line" if any(" " in sample.text for sample in samples) else "word"
