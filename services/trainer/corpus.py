"""The data of one run: several datasets as one, with its alphabet, digest and split lists."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from recognizer.alphabet import Alphabet
from trainer.datasets.base import (
    SPLITS,
    Dataset,
    DatasetError,
    Sample,
    Split,
    check_names,
    is_made,
)
from trainer.datasets.corrections import is_corrections
from trainer.datasets.divided import check_apart
from trainer.datasets.weighted import weight_of
from trainer.mixture import Mixture, Part

FEW = 30
"""Real samples of a split that decide nothing by themselves."""


@dataclass(frozen=True)
class Corpus:
    """Datasets mixed: an epoch sees every training sample once, or as often as its weight says."""

    datasets: tuple[Dataset, ...]
    alphabet: Alphabet
    unwritable: int = field(default=0)
    """Samples left out because the alphabet lacks one of their characters."""

    def __post_init__(self) -> None:
        check_names(self.datasets)
        check_apart(self.datasets)

    @classmethod
    def of(cls, datasets: Sequence[Dataset], *, base: Alphabet | None = None) -> "Corpus":
        """Mix datasets.

        Args:
            base: an alphabet to keep, with what the training texts add to it; None takes
                the characters of the training texts alone.

        Raises:
            DatasetError: there is nothing to train on, two datasets have one name, or documents
                would be in two splits (`check_apart`).
        """
        texts = [sample.text for dataset in datasets for sample in dataset.samples("train")]
        if not texts:
            raise DatasetError("There is nothing to train on: the `train` splits are empty.")
        found = Alphabet.of(texts).characters
        alphabet = Alphabet("".join(sorted({*found, *(base.characters if base else "")})))
        unwritable = sum(
            not alphabet.covers(sample.text)
            for dataset in datasets
            for split in SPLITS
            for sample in dataset.samples(split)
        )
        return cls(tuple(datasets), alphabet, unwritable)

    @property
    def name(self) -> str:
        """Of the sources, with the weights that are not 1."""
        return " + ".join(
            dataset.name + (f"@{weight:g}" if (weight := weight_of(dataset)) != 1 else "")
            for dataset in self.datasets
        )

    @property
    def real(self) -> bool:
        """Whether any of its lines was written by a hand, and not made of characters or fonts."""
        return not all(is_made(dataset) for dataset in self.datasets)

    def samples(self, split: Split) -> list[Sample]:
        """All samples of a split that the alphabet can write."""
        return [
            sample
            for dataset in self.datasets
            for sample in dataset.samples(split)
            if self.alphabet.covers(sample.text)
        ]

    def training(self) -> Sequence[Sample] | Mixture:
        """What epochs are drawn from; where all weights are 1, the samples themselves."""
        if all(weight_of(dataset) == 1 for dataset in self.datasets):
            return self.samples("train")
        parts = (
            Part(
                [each for each in dataset.samples("train") if self.alphabet.covers(each.text)],
                weight_of(dataset),
            )
            for dataset in self.datasets
        )
        return Mixture(tuple(parts))

    def handwriting(self, split: Split) -> list[Sample]:
        """Samples of a split as a version will meet them, in a fixed mixed order.

        Real ones, where there are enough: a network that is chosen by made lines is one for made
        lines. Corrections alone are of too few hands, and made ones go with them.
        """
        real = tuple(each for each in self.datasets if not is_made(each))
        if all(is_corrections(each) for each in real):
            real = self.datasets
        found = [s for each in real for s in each.samples(split) if self.alphabet.covers(s.text)]
        if len(found) < FEW:
            found = self.samples(split)
        random.Random(0).shuffle(found)
        return found

    def split_list(self, split: Split) -> str:
        """One sample a row: dataset, id, document and text, separated by tabs."""
        rows = [
            f"{dataset.name}\t{sample.id}\t{sample.document}\t{sample.text}"
            for dataset in self.datasets
            for sample in dataset.samples(split)
        ]
        return "\n".join([*rows, ""])

    def digest(self) -> str:
        """SHA-256 over split lists and weights: equal for equal samples, texts, splits, weights."""
        whole = hashlib.sha256()
        for dataset in self.datasets:
            if (weight := weight_of(dataset)) != 1:
                whole.update(f"[{dataset.name}@{weight!r}]\n".encode())
        for split in SPLITS:
            whole.update(f"[{split}]\n{self.split_list(split)}".encode())
        return whole.hexdigest()

    @property
    def straddling(self) -> list[str]:
        """Sets of handwriting of which a document lies in several splits."""
        found = []
        for dataset in self.datasets:
            documents = [{sample.document for sample in dataset.samples(each)} for each in SPLITS]
            twice = any(one & other for one, other in combinations(documents, 2))
            if twice and not is_made(dataset):
                found.append(dataset.name)
        return found

    def skipped(self) -> dict[str, int]:
        """`dataset: reason` -> how many entries were left out."""
        found = {
            f"{dataset.name}: {reason}": count
            for dataset in self.datasets
            for reason, count in dataset.skipped.items()
        }
        if self.unwritable:
            found["characters outside the alphabet"] = self.unwritable
        return found

    def warnings(self) -> list[str]:
        """What is amiss with it, a sentence each."""
        left_out = [f"left out: {count}, {reason}" for reason, count in self.skipped().items()]
        apart = [
            f"{name}: documents lie in several splits, so its figures will be too good"
            for name in self.straddling
        ]
        return [*left_out, *apart]
