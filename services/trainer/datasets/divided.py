"""A dataset divided anew: splits of one's own in place of those it came with."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Protocol

import numpy as np

from trainer.datasets.base import (
    SPLITS,
    Dataset,
    DatasetError,
    Made,
    Sample,
    Split,
    Wrapping,
    comes_of,
)
from trainer.datasets.weighted import Weighted


class Division(Protocol):
    """A way to divide documents."""

    @property
    def seed(self) -> int:
        """Of the order in which documents are taken: another one gives other splits."""

    def choose(self, sizes: Mapping[str, int]) -> dict[Split, list[str]]:
        """Documents of each split; empty ones where there are too few.

        Args:
            sizes: document -> its samples, in the order in which they are taken.
        """


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

    def choose(self, sizes: Mapping[str, int]) -> dict[Split, list[str]]:
        return _divided(sizes, self.of)


@dataclass(frozen=True)
class Fold:
    """One of k divisions of which each tests another k-th of the documents, so that together
    they test every document once.

    `number` counts from 1 to `k`; `val` is the share of all samples to validate on, about, and the
    rest is to train on. The folds of one `seed` belong together.
    """

    k: int
    number: int
    val: float = 0.1
    seed: int = 1

    def __post_init__(self) -> None:
        if not (self.k >= 2 and 1 <= self.number <= self.k):
            raise DatasetError(f"There is no fold {self.number} of {self.k}: it takes 2 or more.")
        if not 0 < self.val < 1 - 1 / self.k:
            raise DatasetError(
                f"A share of {self.val:g} to validate on: it must be above 0, and with the test's "
                f"{1 / self.k:g} below 1, so that something is left to train on."
            )

    def choose(self, sizes: Mapping[str, int]) -> dict[Split, list[str]]:
        parts: list[list[str]] = [[] for _ in range(self.k)]
        held = [0] * self.k
        # the largest first, each into the smallest part: as even as it gets
        for name in sorted(sizes, key=lambda name: -sizes[name]):
            smallest = held.index(min(held))
            parts[smallest].append(name)
            held[smallest] += sizes[name]
        tested = set(parts[self.number - 1])
        rest = {name: size for name, size in sizes.items() if name not in tested}
        train = 1 - 1 / self.k - self.val
        chosen = _divided(rest, {"train": train, "val": self.val})
        return {**chosen, "test": parts[self.number - 1]}


class Divided(Wrapping):
    """All samples of a dataset in other splits; a document is in one of them."""

    def __init__(self, dataset: Dataset, division: Division) -> None:
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
        np.random.default_rng(division.seed).shuffle(names)
        chosen = division.choose({name: len(documents[name]) for name in names})
        if not all(chosen.values()):
            raise DatasetError(
                f"{dataset.name} has {len(names)} documents (letters, writers, pages): too few to "
                "divide, as none may be in two splits. Ask for fewer parts, or for its own splits."
            )
        self._samples: dict[Split, list[Sample]] = {
            split: [sample for name in chosen[split] for sample in documents[name]]
            for split in SPLITS
        }

    def samples(self, split: Split) -> Sequence[Sample]:
        return self._samples[split]


def _divided(sizes: Mapping[str, int], shares: Mapping[Split, float]) -> dict[Split, list[str]]:
    """Documents of each split, taken in their order: each goes where it overflows least."""
    whole = sum(sizes.values()) / sum(shares.values())
    wanted = {split: share * whole for split, share in shares.items()}
    held = dict.fromkeys(wanted, 0)
    chosen: dict[Split, list[str]] = {split: [] for split in wanted}
    for name, size in sizes.items():
        filled = {split: (held[split] + size) / wanted[split] for split in wanted}
        split = min(wanted, key=filled.__getitem__)
        chosen[split].append(name)
        held[split] += size
    for split in wanted:  # of few documents that are large, train may have got all
        if not chosen[split] and len(chosen["train"]) > 1:
            smallest = min(chosen["train"], key=lambda name: sizes[name])
            chosen["train"].remove(smallest)
            chosen[split].append(smallest)
    return chosen


def divided(dataset: Dataset, division: Division | None) -> Dataset:
    """The dataset so divided, or as it is where there is no division or it is made and not found.

    Raises:
        DatasetError: as `Divided`.
    """
    if division is None or isinstance(dataset, Made):
        return dataset
    if isinstance(dataset, Weighted):
        return Weighted(divided(dataset.dataset, division), dataset.weight)
    return Divided(dataset, division)


def check_apart(datasets: Sequence[Dataset]) -> None:
    """Raises `DatasetError` where of two divided sets one was cut out of the other, or packed.

    Each is divided by itself: words to train on would be of documents to test on.
    """
    anew = [dataset for dataset in datasets if is_divided(dataset)]
    for dataset, other in permutations(anew, 2):
        if comes_of(dataset, [other.name]):
            raise DatasetError(
                f"{dataset.name} comes of the documents of {other.name}. Each would be divided by "
                f"itself, and what one trains on be tested in the other: leave {dataset.name} "
                "out, or let both keep their splits."
            )


def is_divided(dataset: Dataset) -> bool:
    """Whether its splits are others than those that it came with."""
    return isinstance(dataset.dataset if isinstance(dataset, Weighted) else dataset, Divided)
