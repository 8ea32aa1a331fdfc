"""Training samples of several sources, each drawn from at its own rate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.datasets.base import Sample


@dataclass(frozen=True)
class Part:
    """One source: an epoch draws `weight` times as many samples as it has."""

    samples: Sequence[Sample]
    weight: float = 1.0

    def __len__(self) -> int:
        """Samples drawn in an epoch: at least one, where there is one."""
        return max(round(self.weight * len(self.samples)), min(1, len(self.samples)))

    def draw(self, seed: int, epoch: int, number: int) -> list[Sample]:
        """Those of an epoch, from an endless row of shuffles of all samples.

        Epoch n takes what follows on epoch n - 1: with weight 0.5 two epochs see each sample
        once, with weight 2 one epoch sees each twice. What it takes follows from its arguments
        alone, `number` being that of the part.
        """
        count, size = len(self), len(self.samples)
        if not size:
            return []
        first = epoch * count
        drawn: list[Sample] = []
        for shuffle in range(first // size, -(-(first + count) // size)):
            order = np.random.default_rng((seed, shuffle, number)).permutation(size)
            low, high = first - shuffle * size, first + count - shuffle * size
            drawn += [self.samples[int(i)] for i in order[max(low, 0) : min(high, size)]]
        return drawn


@dataclass(frozen=True)
class Mixture:
    """What a training draws each of its epochs from."""

    parts: tuple[Part, ...]

    def __len__(self) -> int:
        """Samples in an epoch, the same in each."""
        return sum(len(part) for part in self.parts)

    def draw(self, seed: int, epoch: int) -> list[Sample]:
        """The samples of an epoch, source by source; which follows from seed and epoch alone."""
        return [
            sample
            for number, part in enumerate(self.parts)
            for sample in part.draw(seed, epoch, number)
        ]
