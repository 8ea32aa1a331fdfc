"""The data of one run: several datasets as one, with its alphabet, digest and split lists."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from recognizer.alphabet import Alphabet
from trainer.datasets.base import SPLITS, Dataset, DatasetError, Sample, Split


@dataclass(frozen=True)
class Corpus:
    """Datasets mixed: each epoch sees every training sample of all of them once."""

    datasets: tuple[Dataset, ...]
    alphabet: Alphabet
    unwritable: int = field(default=0)
    """Samples left out because the alphabet lacks one of their characters."""

    @classmethod
    def of(cls, datasets: Sequence[Dataset], *, base: Alphabet | None = None) -> "Corpus":
        """Mix datasets.

        Args:
            base: an alphabet to keep, with what the training texts add to it; None takes
                the characters of the training texts alone.

        Raises:
            DatasetError: there is nothing to train on.
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
        return " + ".join(dataset.name for dataset in self.datasets)

    @property
    def real(self) -> bool:
        """Whether any of it was written by a hand."""
        return any(dataset.name != "synthetic" for dataset in self.datasets)

    def samples(self, split: Split) -> list[Sample]:
        """All samples of a split that the alphabet can write."""
        return [
            sample
            for dataset in self.datasets
            for sample in dataset.samples(split)
            if self.alphabet.covers(sample.text)
        ]

    def validation(self) -> list[Sample]:
        """The validation split in a fixed mixed order, so that a part of it is like the whole."""
        samples = self.samples("val")
        random.Random(0).shuffle(samples)
        return samples

    def split_list(self, split: Split) -> str:
        """One sample a row: dataset, id, document and text, separated by tabs."""
        rows = [
            f"{dataset.name}\t{sample.id}\t{sample.document}\t{sample.text}"
            for dataset in self.datasets
            for sample in dataset.samples(split)
        ]
        return "\n".join([*rows, ""])

    def digest(self) -> str:
        """SHA-256 over the split lists: equal for equal samples, texts and splits."""
        whole = hashlib.sha256()
        for split in SPLITS:
            whole.update(f"[{split}]\n{self.split_list(split)}".encode())
        return whole.hexdigest()

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
