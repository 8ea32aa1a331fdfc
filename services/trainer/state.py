"""Where a training stands, in plain numbers. Kept apart from Keras."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. Losses in nats per character; `seconds` since the start."""

    number: int
    train_loss: float
    val_loss: float
    val_cer: float
    val_wer: float
    val_edit_distance: float
    lines_per_second: float
    learning_rate: float
    seconds: float

    @property
    def validated(self) -> bool:
        """Whether there was anything to validate on: no loss is nothing otherwise."""
        return self.val_loss > 0

    def summary(self) -> str:
        """The epoch in a line, for a log."""
        return (
            f"epoch {self.number}: loss {self.train_loss:.3f}, validation loss "
            f"{self.val_loss:.3f}, CER {self.val_cer:.2%}, WER {self.val_wer:.2%}, "
            f"{self.lines_per_second:.1f} lines/s"
        )


@dataclass
class State:
    """Where a training stands: the next batch to train on is `batch` of `epoch`."""

    parameters: dict[str, Any]
    alphabet: str
    dataset: str
    """Digest of what is learnt from."""
    origin: str = "random weights"
    """What the weights were at first, in a few words."""
    sources: str = ""
    """What is learnt from, in a line."""
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    seen: int = 0
    best_cer: float = float("inf")
    best_loss: float = float("inf")
    stale: int = 0
    finished: bool = False
    history: list[Epoch] = field(default_factory=list)
