"""The training of the classifier: epochs, validation, and the ways it ends."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.average import Average
from trainer.characters.network import build
from trainer.characters.recipe import CharacterRecipe
from trainer.characters.scores import Judged
from trainer.characters.warp import warped
from trainer.datasets.base import Split
from trainer.datasets.emnist_files import Characters
from trainer.datasets.emnist_splits import CharacterSplits
from trainer.optimizer import PLAIN
from trainer.schedule import learning_rate
from trainer.training import Ending

CHUNK = 512  # images that are classified at a time


@dataclass(frozen=True)
class CharacterEpoch:
    """What one epoch came to. Losses in nats per character, that of training against smoothed
    truths."""

    number: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    characters_per_second: float
    learning_rate: float

    def summary(self) -> str:
        """The epoch in a line, for a log."""
        return (
            f"epoch {self.number}: loss {self.train_loss:.3f}, validation loss "
            f"{self.val_loss:.3f}, accuracy {self.val_accuracy:.2%}, "
            f"{self.characters_per_second:.0f} characters/s"
        )


class CharacterTraining:
    """One training; `model` is afterwards the network with the best validation accuracy."""

    def __init__(
        self,
        recipe: CharacterRecipe,
        splits: CharacterSplits,
        *,
        stopped: Callable[[], bool] = lambda: False,
        on_batch: Callable[[int, float, float], None] = lambda epoch, done, loss: None,
    ) -> None:
        """Prepare a training.

        Args:
            stopped: asked after each batch; true ends the training.
            on_batch: told the number of the epoch, from 1, the share of it that is done, and the
                mean loss so far.
        """
        self.recipe = recipe
        self.splits = splits
        self.classes = splits.classes
        self.history: list[CharacterEpoch] = []
        self.model = build(len(self.classes), dropout=recipe.dropout, seed=recipe.seed)
        optimizer = keras.optimizers.AdamW(
            recipe.learning_rate, weight_decay=recipe.weight_decay, global_clipnorm=1.0
        )
        optimizer.exclude_from_weight_decay(var_names=list(PLAIN))
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.smoothing)
        self.model.compile(optimizer, loss)
        self._average = Average(self.model, recipe.averaging)
        self._best: list[NDArray[Any]] = []
        self._stale = 0
        self._stopped, self._on_batch = stopped, on_batch

    def run(self, on_epoch: Callable[[list[CharacterEpoch]], None]) -> Ending:
        """Train until one of the endings.

        Args:
            on_epoch: told all epochs so far after each.
        """
        self._begun = time.monotonic()
        ending: Ending | None = None
        while ending is None:
            ending = self._epoch()
            if ending == "interrupted":
                return ending
            on_epoch(self.history)
            if len(self.history) == self.recipe.epochs:
                ending = ending or "all epochs"
            elif self._stale == self.recipe.patience:
                ending = ending or "no longer improving"
        self.model.set_weights(self._best)
        return ending

    def judge(self, split: Split) -> Judged:
        """Classify a split with the network as it is."""
        return self._judged(self.splits.of[split])[0]

    @property
    def _count(self) -> int:
        return len(self.splits.of["train"])

    def _epoch(self) -> Ending | None:
        """Train an epoch and validate it; why the training ends with it, if it does."""
        begun, seen, loss = time.monotonic(), 0, 0.0
        ending: Ending | None = None
        for ink, truths in self._batches():
            self.model.optimizer.learning_rate.assign(self._learning_rate(seen))
            loss += float(self.model.train_on_batch(ink, truths)) * len(ink)
            seen += len(ink)
            if not math.isfinite(loss):
                raise FloatingPointError("The loss became infinite: try a lower --learning-rate.")
            self._average.follow(int(self.model.optimizer.iterations))
            self._on_batch(len(self.history) + 1, seen / self._count, loss / seen)
            if self._stopped():
                return "interrupted"
            if self._out_of_time():
                ending = "time budget"
                break
        self._close_epoch(loss / seen, seen / (time.monotonic() - begun))
        return ending

    def _close_epoch(self, train_loss: float, speed: float) -> None:
        """Validate the averaged network, and keep it if it is better than those before."""
        with self._average.in_place():
            judged, loss = self._judged(self.splits.of["val"])
            earlier = [(epoch.val_accuracy, -epoch.val_loss) for epoch in self.history]
            if (judged.accuracy, -loss) > max(earlier, default=(-1.0, 0.0)):
                self._best = [np.array(each) for each in self.model.get_weights()]
                self._stale = 0
            else:
                self._stale += 1
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        number = len(self.history) + 1
        self.history.append(CharacterEpoch(number, train_loss, loss, judged.accuracy, speed, rate))

    def _batches(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        train = self.splits.of["train"]
        labels = self._labels(train)
        rng = np.random.default_rng((self.recipe.seed, len(self.history)))
        truth = np.eye(len(self.classes), dtype=np.float32)
        # of nearly one size: the statistics of a small rest would be none
        parts = math.ceil(self._count / self.recipe.batch_size)
        for chosen in np.array_split(rng.permutation(self._count), parts):
            ink = warped(train.ink[chosen], self.recipe.augmentation, rng)
            yield _input(ink), truth[labels[chosen]]

    def _labels(self, characters: Characters) -> NDArray[np.int64]:
        return np.searchsorted([ord(each) for each in self.classes], characters.codes)

    def _learning_rate(self, seen: int) -> float:
        recipe = self.recipe
        done = (len(self.history) + seen / self._count) / recipe.epochs
        if recipe.minutes is not None:
            done = max(done, (time.monotonic() - self._begun) / (recipe.minutes * 60))
        return learning_rate(recipe.learning_rate, recipe.warmup, done)

    def _out_of_time(self) -> bool:
        limit = self.recipe.minutes
        return limit is not None and time.monotonic() - self._begun >= limit * 60

    def _judged(self, characters: Characters) -> tuple[Judged, float]:
        """Readings, and the loss in nats per character."""
        truths = self._labels(characters)
        parts = range(CHUNK, len(characters), CHUNK)
        found = np.concatenate(
            [self.model.predict_on_batch(_input(ink)) for ink in np.split(characters.ink, parts)]
        )
        loss = -np.log(np.maximum(found[np.arange(len(truths)), truths], 1e-9)).mean()
        return Judged(self.classes, truths, found.argmax(axis=1), found.max(axis=1)), float(loss)


def _input(ink: NDArray[np.uint8]) -> NDArray[np.float32]:
    return ink[..., None].astype(np.float32) / np.float32(255)
