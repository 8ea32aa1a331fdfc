"""How a classifier of characters is trained: every number that a run may choose."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class CharacterRecipe:
    """Settings of one training.

    `minutes` bounds the training; `patience` counts epochs without a better validation accuracy.
    `augmentation` is the share of the training images that are shifted and turned; `smoothing` the
    share of the truth that is spread over all classes.
    """

    epochs: int = 12
    minutes: float | None = None
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    warmup: float = 0.05
    averaging: float = 0.995
    smoothing: float = 0.1
    patience: int = 5
    augmentation: float = 0.9
    dropout: float = 0.3
    seed: int = 1

    def parameters(self) -> dict[str, Any]:
        return asdict(self)
