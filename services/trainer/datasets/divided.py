"""A dataset divided anew: splits of one's own in place of those it came with."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trainer.datasets.base import SPLITS, Dataset, DatasetError, Sample, Split
from trainer.datasets.emnist import EmnistDataset
from trainer.datasets.synthetic import SyntheticDataset
from trainer.datasets.weighted import Weighted

MADE = (SyntheticDataset, EmnistDataset)
"""Their samples are made for each split, of fonts and characters that no other has."""


@dataclass(frozen=True)
class Shares:
    """How much of the samples train and val get, about; the rest is for the test.

    `seed` chooses which: another one gives other splits.
    """

    train: float
    val: float
    seed: int = 1

    def __post_init__(self) -> None:
        if not (self.train > 0 and self.val > 0 and self.train + self.val < 1):
            raise DatasetError(
                f"Shares of {self.train:g} to train on and {self.val:g} to validate on: both must "
                "be above 0, and together below 1, so that something is left for the test."
            )

    @property
    def of(self) -> dict[Split, float]:
        return {"train": self.train, "val": self.val, "test": 1 - self.train - self.val}


class Divided:
    """All samples of a dataset in other splits; a document is in one of them."""

    def __init__(self, dataset: Dataset, shares: Shares) -> None:
        """Divide its samples.

        Raises:
            DatasetError: it has too few documents to give each split one.
        """
        self.dataset = dataset
        documents: dict[str, list[Sample]] = defaultdict(list)
        for split in SPLITS:
            for sample in dataset.samples(split):
                documents[sample.document].append(sample)
        names = sorted(documents)
        np.random.default_rng(shares.seed).shuffle(names)
        chosen = _divided({name: len(documents[name]) for name in names}, shares)
        if not all(chosen.values()):
            raise DatasetError(
                f"{dataset.name} has {len(names)} documents (letters, writers, pages): too few to "
                "divide, as none may be in two splits. Leave the ratios out to take its own splits."
            )
        self._samples: dict[Split, list[Sample]] = {
            split: [sample for name in chosen[split] for sample in documents[name]]
            for split in SPLITS
        }

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def licence(self) -> str:
        return self.dataset.licence

    @property
    def skipped(self) -> Mapping[str, int]:
        return self.dataset.skipped

    def samples(self, split: Split) -> Sequence[Sample]:
        return self._samples[split]


def _divided(sizes: Mapping[str, int], shares: Shares) -> dict[Split, list[str]]:
    """Documents of each split, taken in their order: each goes where it overflows least."""
    whole = sum(sizes.values())
    chosen: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for name, size in sizes.items():

        def filled(split: Split, size: int = size) -> float:
            held = sum(sizes[each] for each in chosen[split])
            return (held + size) / (whole * shares.of[split])

        chosen[min(SPLITS, key=filled)].append(name)
    for split in SPLITS:  # of few documents that are large, train may have got all
        if not chosen[split] and len(chosen["train"]) > 1:
            smallest = min(chosen["train"], key=lambda name: sizes[name])
            chosen["train"].remove(smallest)
            chosen[split].append(smallest)
    return chosen


def divided(dataset: Dataset, shares: Shares | None) -> Dataset:
    """The dataset in these shares, or as it is where it has none or is made and not found.

    Raises:
        DatasetError: as `Divided`.
    """
    if shares is None or isinstance(dataset, MADE):
        return dataset
    if isinstance(dataset, Weighted):
        return Weighted(divided(dataset.dataset, shares), dataset.weight)
    return Divided(dataset, shares)


def is_divided(dataset: Dataset) -> bool:
    """Whether its splits are others than those that it came with."""
    return isinstance(dataset.dataset if isinstance(dataset, Weighted) else dataset, Divided)
