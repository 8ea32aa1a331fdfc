"""The training loop: epochs, validation, schedule, checkpoints, and the ways it ends."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from keras import ops

from recognizer import decode
from recognizer.alphabet import Alphabet
from trainer.average import Average
from trainer.batches import Batch, Pipeline
from trainer.checkpoint import Checkpoint, CheckpointError
from trainer.corpus import Corpus
from trainer.ctc import ctc_loss
from trainer.datasets.base import DatasetError, Sample
from trainer.metrics import Scores, score
from trainer.mixture import Mixture
from trainer.network import Crnn, build
from trainer.optimizer import compile_model, recompile
from trainer.recipe import Recipe
from trainer.schedule import learning_rate
from trainer.sizes import BLANK
from trainer.state import Epoch, State

log = logging.getLogger(__name__)

SAVE_EVERY = 180.0  # seconds between checkpoints within an epoch

Ending = Literal["all epochs", "time budget", "no longer improving", "interrupted"]


class Listener(Protocol):
    """Told how a training goes on."""

    def on_batch(self, state: State, done: float, loss: float) -> None:
        """`done` is the share of the epoch that is done, `loss` its mean so far."""

    def on_epoch(self, epoch: Epoch, state: State) -> None: ...


@dataclass(frozen=True)
class Data:
    """What a training learns from and is validated on, the same to a resumption by `digest`."""

    digest: str
    alphabet: Alphabet
    train: Sequence[Sample] | Mixture
    val: Sequence[Sample]
    name: str = ""

    @classmethod
    def of(cls, corpus: Corpus) -> "Data":
        return cls(
            corpus.digest(),
            corpus.alphabet,
            corpus.training(),
            corpus.handwriting("val"),
            corpus.name,
        )


class Training:
    """One training of one network, from the start or from its checkpoint."""

    def __init__(
        self,
        recipe: Recipe,
        data: Data,
        checkpoint: Checkpoint,
        *,
        resume: bool = False,
        start: Crnn | None = None,
        origin: str = "random weights",
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare a training.

        Args:
            resume: go on from the checkpoint instead of starting anew.
            start: a network to train on from; its classes must be those of the alphabet.
            origin: where its weights come from, in a few words for the model card.
            stopped: asked after each batch; true ends the training with a checkpoint.

        Raises:
            CheckpointError: nothing to resume, or other settings than those of the checkpoint.
        """
        self.recipe = recipe
        self.data = data
        self.checkpoint = checkpoint
        self.stopped = stopped
        if resume:
            self.state, self.model = checkpoint.load()
            self._same(self.state)
            recompile(self.model, recipe)
        else:
            before = checkpoint.set_aside()
            if before:
                log.info("what an earlier training left is kept in %s", before)
            self.state = State(
                recipe.parameters(), data.alphabet.characters, data.digest, origin, data.name
            )
            self.model = start or build(
                recipe.size,
                data.alphabet.classes,
                seed=recipe.seed,
                precision=recipe.precision,
                dropout=recipe.dropout,
            )
            compile_model(self.model, recipe)
        kept = checkpoint.average() if resume else None
        self.average = Average(self.model, recipe.averaging, kept)

    def _same(self, state: State) -> None:
        """How long it goes on and how fast may change between a run and its resumption."""
        free = {"epochs", "minutes", "patience", "validation_limit", "learning_rate"}
        now = self.recipe.parameters()
        changed = [key for key in now if key not in free and now[key] != state.parameters.get(key)]
        if changed:
            raise CheckpointError(
                f"The checkpoint was made with other settings ({', '.join(changed)}). "
                "Resume with the same, or start anew without --resume."
            )
        if (state.dataset, state.alphabet) != (self.data.digest, self.data.alphabet.characters):
            other = state.sources if state.sources != self.data.name else "it has changed since"
            raise CheckpointError(
                f"The checkpoint was trained on other data ({other}). "
                "Resume with the same, or start anew without --resume."
            )

    def run(self, listener: Listener, pipeline: Pipeline) -> Ending:
        """Train until one of the endings. The best network is then in the checkpoint."""
        self._clock = time.monotonic() - self.state.seconds
        state, recipe = self.state, self.recipe
        state.finished = False
        if not self.data.val:
            log.warning("There is nothing to validate on: the last network counts as the best.")
        while True:
            if state.epoch >= recipe.epochs:
                return self._end("all epochs")
            if state.stale >= recipe.patience:
                return self._end("no longer improving")
            if self._out_of_time():
                if state.batch:  # resumed too late to go on, perhaps before a first validation
                    self._close_epoch(listener, pipeline)
                return self._end("time budget")
            try:
                whole = self._epoch(listener, pipeline)
            except BrokenProcessPool:
                # whoever stops a service may signal every process of it, these too
                if not self.stopped():
                    raise
                whole = False
            if not whole and self.stopped():
                self._save()
                return "interrupted"
            self._close_epoch(listener, pipeline)

    def _end(self, ending: Ending) -> Ending:
        self.state.finished = True
        self._save()
        return ending

    def _save(self) -> None:
        self.state.seconds = time.monotonic() - self._clock
        self.checkpoint.save(self.state, self.model, self.average.values)

    def _out_of_time(self) -> bool:
        limit = self.recipe.minutes
        return limit is not None and time.monotonic() - self._clock >= limit * 60

    def _epoch(self, listener: Listener, pipeline: Pipeline) -> bool:
        """Train to the end of the epoch; false when stopped or out of time before it."""
        state = self.state
        saved = time.monotonic()
        done_before, began = state.batch, saved
        for number, batch in enumerate(self._stream(pipeline)):
            if number < done_before:
                continue  # a resumed epoch: these were trained on before the interruption
            if done_before and number == done_before:
                self._clock += time.monotonic() - began  # to make them again takes no budget
            self.model.optimizer.learning_rate.assign(self._learning_rate())
            targets = {"labels": batch.labels, "lengths": batch.lengths}
            loss = float(self.model.train_on_batch(batch.ink, targets))
            self._first_fault(loss)
            state.batch += 1
            self.average.follow(int(self.model.optimizer.iterations))
            state.seen += batch.fresh
            state.loss_sum += loss * batch.fresh
            listener.on_batch(state, state.seen / len(self.data.train), state.loss_sum / state.seen)
            if self.stopped() or self._out_of_time():
                return False
            if time.monotonic() - saved > SAVE_EVERY:
                self._save()
                saved = time.monotonic()
        if not state.seen:
            raise DatasetError("None of the images to train on can be used; see the log for why.")
        return True

    def _stream(self, pipeline: Pipeline) -> Iterator[Batch]:
        recipe = self.recipe
        epoch = (recipe.seed, self.state.epoch)
        return pipeline.batches(
            self.data.train, recipe.batch_size, epoch=epoch, augmentation=recipe.augmentation
        )

    def _first_fault(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss became {loss} in epoch {self.state.epoch + 1}. The last checkpoint is "
                "intact: go on from it with --resume and a lower --learning-rate."
            )

    def _learning_rate(self) -> float:
        """Follows whichever budget is used up faster, epochs or minutes."""
        recipe, state = self.recipe, self.state
        done = (state.epoch + state.seen / len(self.data.train)) / recipe.epochs
        if recipe.minutes is not None:
            done = max(done, (time.monotonic() - self._clock) / (recipe.minutes * 60))
        return learning_rate(recipe.learning_rate, recipe.warmup, done)

    def _close_epoch(self, listener: Listener, pipeline: Pipeline) -> None:
        with self.average.in_place():
            epoch = self._validated(pipeline)
        self.state.epoch += 1
        self.state.batch = self.state.seen = 0
        self.state.loss_sum = 0.0
        self._save()
        listener.on_epoch(epoch, self.state)

    def _validated(self, pipeline: Pipeline) -> Epoch:
        """What the epoch came to; a network better than those before it is kept."""
        state = self.state
        started = state.history[-1].seconds if state.history else 0.0
        trained = time.monotonic() - self._clock - started
        scores, val_loss = validate(
            self.model,
            self.data.alphabet,
            self.data.val[: self.recipe.validation_limit],
            pipeline,
            self.recipe.batch_size,
        )
        state.seconds = time.monotonic() - self._clock
        epoch = Epoch(
            number=state.epoch + 1,
            train_loss=state.loss_sum / max(state.seen, 1),
            val_loss=val_loss,
            val_cer=scores.cer,
            val_wer=scores.wer,
            val_edit_distance=scores.edit_distance,
            lines_per_second=state.seen / max(trained, 1e-9),
            learning_rate=float(ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            seconds=state.seconds,
        )
        state.history.append(epoch)
        # the loss falls long before a network that still writes nothing has a better CER
        best = (state.best_cer, state.best_loss)
        if not scores.samples or (scores.cer, val_loss) < best:
            state.best_cer, state.best_loss, state.stale = scores.cer, val_loss, 0
            self.checkpoint.save_best(self.model)
        else:
            state.stale += 1
        return epoch


def validate(
    model: Crnn,
    alphabet: Alphabet,
    samples: Sequence[Sample],
    pipeline: Pipeline,
    batch_size: int,
) -> tuple[Scores, float]:
    """Greedy readings of samples against their texts, and the loss in nats per character."""
    pairs: list[tuple[str, str]] = []
    loss, characters = 0.0, 0
    for batch in pipeline.batches(samples, batch_size):
        logits: Any = model.predict_on_batch(batch.ink)[0]
        logits = np.asarray(logits)
        fresh = slice(batch.fresh)
        written = int(batch.lengths[fresh].sum())
        mean = ctc_loss(logits[fresh], batch.labels[fresh], batch.lengths[fresh])
        loss += float(mean) * written
        characters += written
        for sample, output in zip(batch.samples[fresh], logits[fresh], strict=True):
            spans = decode.greedy(output, BLANK)
            text = alphabet.decode([span.label for span in spans]).strip()
            pairs.append((sample.text, text))
    return score(pairs), loss / max(characters, 1)
