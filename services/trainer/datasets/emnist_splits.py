"""EMNIST's characters divided into splits: as officially where both parts are there."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.datasets.base import SPLITS, DatasetError, Split
from trainer.datasets.emnist_files import Characters, Part, read

SHARES = (0.8, 0.1, 0.1)
"""Of what comes undivided: to train on, for validation, for the test."""


@dataclass(frozen=True)
class CharacterSplits:
    """The characters of each split, none in two."""

    of: Mapping[Split, Characters]
    parts: Mapping[Split, Part]
    """Of EMNIST, which each was taken from."""

    @property
    def official(self) -> bool:
        """Whether the test split is EMNIST's whole test part, and none of it was trained on."""
        return self.parts["train"] != self.parts["test"]

    @property
    def origin(self) -> str:
        """What a figure on the test split is a figure of."""
        if self.official:
            return "EMNIST's official test split"
        return (
            f"an honest split of the characters at hand (a tenth of EMNIST's {self.parts['test']} "
            "part), not the official test split"
        )

    @property
    def classes(self) -> str:
        """The characters that there are, in their order."""
        codes = np.unique(np.concatenate([self.of[split].codes for split in SPLITS]))
        return "".join(map(chr, codes))

    def names(self, split: Split) -> list[str]:
        """Of each character: its part of EMNIST and its place there, from 0."""
        return [f"{self.parts[split]}/{number:06d}" for number in self.of[split].numbers]

    def listing(self, split: Split) -> str:
        """One character a row: name and character, separated by a tab."""
        codes = self.of[split].codes
        rows = zip(self.names(split), map(chr, codes), strict=True)
        return "\n".join([*(f"{name}\t{character}" for name, character in rows), ""])

    def digest(self) -> str:
        """SHA-256 over lists and images: equal for the same characters in the same splits."""
        whole = hashlib.sha256()
        for split in SPLITS:
            whole.update(f"[{split}]\n{self.listing(split)}".encode())
            whole.update(self.of[split].ink.tobytes())
        return whole.hexdigest()


def character_splits(folder: Path, seed: int) -> CharacterSplits:
    """Divide a folder's characters.

    EMNIST's test part is the test split and its train part the others; a part that is alone is
    divided in `SHARES`.

    Raises:
        DatasetError: as `emnist_files.read`, or there are too few characters to divide.
    """
    parts = read(folder)
    if len(parts) == 2:
        train, val = _divided(parts["train"], (0.9, 0.1), seed)
        divided = [train, val, parts["test"]]
        names: list[Part] = ["train", "train", "test"]
    else:
        ((name, alone),) = parts.items()
        divided, names = _divided(alone, SHARES, seed), [name] * 3
    if not all(map(len, divided)):
        raise DatasetError(f"'{folder}' has too few characters for three splits.")
    return CharacterSplits(
        dict(zip(SPLITS, divided, strict=True)), dict(zip(SPLITS, names, strict=True))
    )


def shuffled(count: int, shares: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Numbers below `count`, each in one of the shares."""
    order = np.random.default_rng(seed).permutation(count)
    bounds = np.rint(np.cumsum(shares[:-1]) * count).astype(int)
    return np.split(order, bounds.tolist())


def _divided(whole: Characters, shares: Sequence[float], seed: int) -> list[Characters]:
    return [whole.chosen(numbers) for numbers in shuffled(len(whole), shares, seed)]
