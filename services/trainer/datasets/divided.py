"""A dataset divided anew: splits of one's own in place of those it came with."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trainer.datasets.base import SPLITS, Dataset, DatasetError, Made, Sample, Split, Wrapping
from trainer.datasets.weighted import Weighted


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


class Divided(Wrapping):
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

    def samples(self, split: Split) -> Sequence[Sample]:
        return self._samples[split]


def _divided(sizes: Mapping[str, int], shares: Shares) -> dict[Split, list[str]]:
    """Documents of each split, taken in their order: each goes where it overflows least."""
    wanted = {split: share * sum(sizes.values()) for split, share in shares.of.items()}
    held: dict[Split, int] = dict.fromkeys(SPLITS, 0)
    chosen: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for name, size in sizes.items():
        filled = {split: (held[split] + size) / wanted[split] for split in SPLITS}
        split = min(SPLITS, key=filled.__getitem__)
        chosen[split].append(name)
        held[split] += size
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
    if shares is None or isinstance(dataset, Made):
        return dataset
    if isinstance(dataset, Weighted):
        return Weighted(divided(dataset.dataset, shares), dataset.weight)
    return Divided(dataset, shares)


def is_divided(dataset: Dataset) -> bool:
    """Whether its splits are others than those that it came with."""
    return isinstance(dataset.dataset if isinstance(dataset, Weighted) else dataset, Divided)
