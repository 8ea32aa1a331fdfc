"""A dataset with a weight: how often an epoch sees its training samples."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from trainer.datasets.base import Dataset, DatasetError, Sample, Split, Wrapping

LARGEST = 100.0

_WEIGHT = re.compile(r"(.+)@(\d+\.?\d*|\.\d+)")


@dataclass(frozen=True)
class Weighted(Wrapping):
    """A dataset of which an epoch sees `weight` times as many training samples as it has.

    Validation and test splits are those of the dataset: a weight changes what is learnt from,
    not what is measured.
    """

    dataset: Dataset
    weight: float

    def samples(self, split: Split) -> Sequence[Sample]:
        return self.dataset.samples(split)


def weight_of(dataset: Dataset) -> float:
    """1 where none was given."""
    return dataset.weight if isinstance(dataset, Weighted) else 1.0


def without_weight(name: str) -> tuple[str, float]:
    """A source as the command line has it, such as `lines:PATH@0.5`: the source, and its weight.

    Raises:
        DatasetError: a weight of nothing, or out of all proportion.
    """
    match = _WEIGHT.fullmatch(name)
    if match is None:
        return name, 1.0
    weight = float(match[2])
    if not 0 < weight <= LARGEST:
        raise DatasetError(
            f"{name}: the weight after @ must be above 0 and at most {LARGEST:g}. "
            "A path that ends in @ and a number needs one more: PATH@2@1."
        )
    return match[1], weight
