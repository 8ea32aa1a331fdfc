"""How many characters were told right, and which were taken for which."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ALIKE = "CIJKLMOPSUVWXYZ"
"""Letters that many hands write alike in both cases but for size, which EMNIST's images do not
have: those that its `bymerge` set merges."""


@dataclass(frozen=True)
class Confusion:
    """A character that was taken for another: how often, and for how much of all its images."""

    true: str
    read: str
    count: int
    share: float


@dataclass(frozen=True)
class Judged:
    """Truths and readings of some characters, each the place of one of `classes`."""

    classes: str
    truths: NDArray[np.int64]
    readings: NDArray[np.int64]
    confidences: NDArray[np.float32]

    @property
    def accuracy(self) -> float:
        return float((self.truths == self.readings).mean())

    @property
    def folded(self) -> float:
        """Accuracy where the two cases of a letter of `ALIKE` count as one."""
        upper = {small.lower(): small for small in ALIKE}
        fold = np.array([ord(upper.get(each, each)) for each in self.classes])
        return float((fold[self.truths] == fold[self.readings]).mean())

    def matrix(self) -> NDArray[np.int64]:
        """Counts (true, read)."""
        counts = np.zeros((len(self.classes), len(self.classes)), np.int64)
        np.add.at(counts, (self.truths, self.readings), 1)
        return counts

    def confusions(self) -> list[Confusion]:
        """All mistakes by kind, the most frequent first."""
        images = Counter(self.truths.tolist())
        wrong = self.truths != self.readings
        found = Counter(
            zip(self.truths[wrong].tolist(), self.readings[wrong].tolist(), strict=True)
        )
        return [
            Confusion(self.classes[true], self.classes[read], count, count / images[true])
            for (true, read), count in sorted(found.items(), key=lambda each: (-each[1], each[0]))
        ]
