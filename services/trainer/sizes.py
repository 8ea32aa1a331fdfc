"""Sizes, precisions and optimizers of the network: to name one must not import Keras."""

from dataclasses import dataclass
from typing import Literal, get_args

SizeName = Literal["tiny", "small", "large"]
SIZES: tuple[SizeName, ...] = get_args(SizeName)

Precision = Literal["float32", "mixed_bfloat16"]
"""How the network computes; its weights are float32 in both. On a GPU bfloat16 is faster."""

OptimizerName = Literal["muon", "adamw"]
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)
"""See `trainer.optimizer`."""

BLANK = 0
"""Class that writes nothing; the characters of the alphabet take 1 and on."""

STRIDE = 4
"""Columns of input for one time step, in every size."""


@dataclass(frozen=True)
class Size:
    """Channels of the two convolutions of the stem, channels and blocks of each residual
    stage, units and depth of the BiLSTM."""

    height: int
    stem: tuple[int, int]
    stages: tuple[tuple[int, int], ...]
    units: int
    depth: int
    dropout: float


DEFINITIONS: dict[SizeName, Size] = {
    "tiny": Size(height=32, stem=(8, 16), stages=((16, 1), (32, 1)), units=32, depth=1, dropout=0),
    "small": Size(
        height=80,
        stem=(16, 32),
        stages=((32, 1), (64, 1), (128, 2)),
        units=128,
        depth=2,
        dropout=0.05,
    ),
    "large": Size(
        height=80,
        stem=(32, 48),
        stages=((64, 2), (128, 3), (256, 3)),
        units=256,
        depth=3,
        dropout=0.3,
    ),
}
