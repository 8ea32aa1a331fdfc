"""Training alone: datasets to a checkpoint, with neither MLflow nor TensorFlow.

For a machine that has a GPU and little else. The checkpoint then travels to where the rest
is installed, and `trainer export` makes a bundle of it.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from recognizer.alphabet import Alphabet
from recognizer.bundle import Bundle
from trainer.batches import Pipeline
from trainer.checkpoint import Checkpoint
from trainer.cores import computes_bfloat16
from trainer.corpus import Corpus
from trainer.datasets.base import Dataset
from trainer.recipe import Recipe
from trainer.state import Epoch, State
from trainer.training import Data, Ending, Listener, Training
from trainer.transfer import start_from

log = logging.getLogger(__name__)


def _accelerated() -> bool:
    """Whether Keras computes elsewhere than on the processor; True where it does not tell."""
    try:
        devices = keras.distribution.list_devices()
    except AttributeError:  # a backend that tells nothing of them
        return True
    return any(not device.startswith("cpu") for device in devices)


class _Logged:
    """Says each epoch in the log."""

    def __init__(self, terminal: Listener) -> None:
        self.terminal = terminal

    def on_batch(self, state: State, done: float, loss: float) -> None:
        self.terminal.on_batch(state, done, loss)

    def on_epoch(self, epoch: Epoch, state: State) -> None:
        log.info("%s", epoch.summary())
        self.terminal.on_epoch(epoch, state)


def fit(
    recipe: Recipe,
    datasets: Sequence[Dataset],
    folder: Path,
    listener: Listener,
    *,
    start: Path | None = None,
    resume: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Ending:
    """Train into a checkpoint folder.

    Args:
        start: folder of a bundle to train on from; its characters stay in the alphabet.
        resume: go on from the checkpoint in `folder`, whatever it started from.

    Raises:
        CheckpointError, DatasetError: each with a message for the user.
    """
    checkpoint = Checkpoint(folder)
    with checkpoint.alone():
        base = Bundle.load(start) if start and not resume else None
        known = base.alphabet if base else None
        if resume:
            known = Alphabet(checkpoint.state().alphabet)
        corpus = Corpus.of(datasets, base=known)
        for warning in corpus.warnings():
            log.warning("%s", warning)
        data = Data.of(corpus)
        network, origin = start_from(base, recipe, corpus.alphabet)
        training = Training(
            recipe,
            data,
            checkpoint,
            resume=resume,
            start=network,
            origin=origin,
            stopped=stopped,
        )
        if not resume:
            checkpoint.keep_base(base)
        origin = training.state.origin  # of a resumption, what it began with
        if recipe.precision != "float32" and not (_accelerated() or computes_bfloat16()):
            log.warning("this processor only imitates bfloat16: float32 is faster, about twice")
        log.info("training on %s: %d samples, %s", corpus.name, len(data.train), origin)
        with Pipeline(recipe.input(), corpus.alphabet) as pipeline:
            return training.run(_Logged(listener), pipeline)
