"""How a network is trained: every number that a run may choose, with its default."""

from dataclasses import asdict, dataclass
from typing import Any

from recognizer.manifest import Input
from trainer.sizes import DEFINITIONS, STRIDE, OptimizerName, Precision, SizeName

BUCKETS = [128, 192, 256, 384, 512, 640, 768, 896, 1024, 1280, 1536, 2048, 2560]
MARGIN = 8


@dataclass(frozen=True)
class Recipe:
    """Settings of one training.

    `minutes` bounds the training, over all its resumptions; the learning rate has come
    down by then. `patience` counts epochs without a better validation CER. `averaging` is the
    share of the averaged weights that a step leaves in place; 0 averages nothing. `augmentation` is
    the share of the training images that are changed; `dropout` of None is that of the size.
    """

    size: SizeName = "small"
    epochs: int = 50
    minutes: float | None = None
    batch_size: int = 16
    optimizer: OptimizerName = "muon"
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.03
    averaging: float = 0.999
    patience: int = 10
    seed: int = 1
    augmentation: float = 0.7
    dropout: float | None = None
    validation_limit: int = 1000
    precision: Precision = "float32"

    def input(self) -> Input:
        """The input that this size of network takes, as bundles describe it."""
        height = DEFINITIONS[self.size].height
        return Input(height=height, stride=STRIDE, margin=MARGIN, buckets=BUCKETS)

    def parameters(self) -> dict[str, Any]:
        return asdict(self)
