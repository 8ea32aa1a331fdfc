"""The training loop: that it resumes exactly, and all the ways it ends."""

import logging
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from recognizer import decode
from recognizer.alphabet import Alphabet
from samples import Scrawl
from trainer.average import EVERY
from trainer.batches import Pipeline
from trainer.datasets.base import DatasetError
from trainer.datasets.synthetic import SyntheticDataset
from trainer.metrics import score
from trainer.recipe import Recipe
from trainer.sizes import BLANK, DEFINITIONS
from trainer.state import Epoch, State

keras = pytest.importorskip("keras")

WORDS = SyntheticDataset(train=14, val=6, test=0, level="word", seed=2)
ALPHABET = Alphabet.of(s.text for split in ("train", "val") for s in WORDS.samples(split))
# weights decay fast here: what decays and what does not must show within a few steps
RECIPE = Recipe(size="tiny", epochs=2, batch_size=4, weight_decay=0.5, seed=3)


class Journal:
    """Listens, and stops a training after so many batches."""

    def __init__(self, stop_after: float = math.inf) -> None:
        self.batches: list[tuple[int, int, float, float]] = []
        self.epochs: list[Epoch] = []
        self.stop_after = stop_after

    def on_batch(self, state: State, done: float, loss: float) -> None:
        self.batches.append((state.epoch, state.batch, done, loss))

    def on_epoch(self, epoch: Epoch, state: State) -> None:
        self.epochs.append(epoch)

    def stopped(self) -> bool:
        return len(self.batches) >= self.stop_after


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    """One bucket, so that each network is compiled for one shape only."""
    spec = RECIPE.input().model_copy(update={"buckets": [128]})
    with Pipeline(spec, ALPHABET, workers=1) as pipeline:
        yield pipeline


@pytest.fixture
def eager() -> Iterator[None]:
    """Without compiling, which takes longer than the few batches of these tests."""
    tensorflow = pytest.importorskip("tensorflow")
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[..., Any]:
    """Makes trainings on the words, with a checkpoint in a folder of this test."""

    def prepare(recipe: Recipe = RECIPE, *, folder: str = "one", **options: Any) -> Any:
        from trainer.checkpoint import Checkpoint
        from trainer.training import Data, Training

        chosen = {"digest": "1", "alphabet": ALPHABET, "name": "words"}
        chosen |= {split: options.pop(split, WORDS.samples(split)) for split in ("train", "val")}
        chosen |= {
            key: options.pop(key) for key in ("digest", "name", "alphabet") if key in options
        }
        return Training(recipe, Data(**chosen), Checkpoint(tmp_path / folder), **options)

    return prepare


def timeless(epoch: Epoch) -> Epoch:
    return replace(epoch, seconds=0, lines_per_second=0)


def values(model: Any) -> list[Any]:
    """Everything a network holds: weights, moving means, the optimizer's moments, random state."""
    return [
        keras.ops.convert_to_numpy(each) for each in (*model.variables, *model.optimizer.variables)
    ]


def test_the_average_of_the_weights_is_what_is_validated_and_kept(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at after every step, the young average is a plain one of nearly all weights so far."""
    monkeypatch.setattr("trainer.average.EVERY", 1)
    training = prepared(replace(RECIPE, epochs=1))
    seen = []
    follow = training.average.follow

    def watched(step: int) -> None:
        seen.append(training.model.get_weights())
        follow(step)

    monkeypatch.setattr(training.average, "follow", watched)
    training.run(Journal(), pipeline)
    mean = seen[0]
    for looks, weights in enumerate(seen[1:], 1):
        decay = looks / (looks + 10)
        mean = [decay * old + (1 - decay) * new for old, new in zip(mean, weights, strict=True)]
    kept, last = training.checkpoint.best().get_weights(), training.model.get_weights()
    for expected, mine in zip(mean, kept, strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-5)
    # training itself goes on from the last weights, not from their average
    assert all(np.array_equal(a, b) for a, b in zip(last, seen[-1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(last, kept, strict=True))


def test_a_training_of_few_batches_keeps_what_it_has_learnt(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None
) -> None:
    training = prepared(replace(RECIPE, epochs=1))
    begun = training.model.get_weights()
    journal = Journal()
    training.run(journal, pipeline)
    assert len(journal.batches) < EVERY
    kept = training.checkpoint.best().get_weights()
    assert not any(np.array_equal(a, b) for a, b in zip(begun, kept, strict=True) if a.ndim > 1)


KILLED = """
import os, signal, sys
from pathlib import Path
from dataclasses import replace
import trainer.training
from trainer.batches import Pipeline
from trainer.checkpoint import Checkpoint
from trainer.training import Data, Training
sys.path.insert(0, sys.argv[1])
from test_training import ALPHABET, RECIPE, WORDS, Journal

class Doomed(Journal):
    def on_batch(self, state, done, loss):
        if (state.epoch, state.batch) == (1, 3):
            os.kill(os.getpid(), signal.SIGKILL)

trainer.training.SAVE_EVERY = 0.0
data = Data("1", ALPHABET, WORDS.samples("train"), WORDS.samples("val"))
training = Training(replace(RECIPE, dropout=0.4), data, Checkpoint(Path(sys.argv[2])))
spec = RECIPE.input().model_copy(update={"buckets": [128]})
with Pipeline(spec, ALPHABET, workers=1) as pipeline:
    training.run(Doomed(), pipeline)
"""


def test_a_training_that_was_killed_has_the_curve_of_one_that_was_not(
    prepared: Callable[..., Any], pipeline: Pipeline, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, dropout=0.4)
    whole = prepared(recipe)
    whole.run(Journal(), pipeline)
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path / "killed")]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=paths, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed = prepared(recipe, folder="killed", resume=True)
    assert (resumed.state.epoch, resumed.state.batch) == (1, 2)
    assert resumed.run(Journal(), pipeline) == "all epochs"
    for mine, its in zip(resumed.state.history, whole.state.history, strict=True):
        assert vars(timeless(mine)) == pytest.approx(vars(timeless(its)), rel=1e-3)
    for mine, its in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, atol=2e-5)


def test_what_is_made_again_for_a_resumption_takes_no_time_of_the_budget(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None
) -> None:
    recipe = replace(RECIPE, minutes=30.0)
    first = Journal(stop_after=3)
    prepared(recipe, stopped=first.stopped).run(first, pipeline)
    resumed = prepared(recipe, resume=True)
    spent = resumed.state.seconds
    seen: list[float] = []

    class Slow:
        """Takes a minute to make the three batches that were seen before."""

        def batches(self, *arguments: Any, **options: Any) -> Iterator[Any]:
            for number, batch in enumerate(pipeline.batches(*arguments, **options)):
                if number == 3:
                    clock.moved += 60
                yield batch

    class Clock:
        moved = 0.0

        def monotonic(self) -> float:
            return time.monotonic() + self.moved

    clock = Clock()

    class Watch(Journal):
        def on_batch(self, state: State, done: float, loss: float) -> None:
            seen.append(clock.monotonic() - resumed._clock)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.training.time", clock)
        resumed.run(Watch(), Slow())
    assert seen[0] < spent + 30


def test_a_resumed_training_is_the_uninterrupted_one(
    prepared: Callable[..., Any], pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With dropout, augmentation, weight decay and a schedule; interrupted within epoch 2."""
    monkeypatch.setitem(DEFINITIONS, "tiny", replace(DEFINITIONS["tiny"], dropout=0.4))
    whole = prepared()
    journal = Journal()
    assert whole.run(journal, pipeline) == "all epochs"
    in_first = sum(epoch == 0 for epoch, *_ in journal.batches)
    assert len(journal.batches) - in_first == 4

    first = Journal(stop_after=in_first + 2)
    begun = prepared(folder="two", stopped=first.stopped)
    assert begun.run(first, pipeline) == "interrupted"
    assert (begun.state.epoch, begun.state.batch, begun.state.finished) == (1, 2, False)
    kept = values(begun.model)

    resumed = prepared(folder="two", resume=True)
    for mine, its in zip(values(resumed.model), kept, strict=True):
        np.testing.assert_array_equal(mine, its)
    second = Journal()
    assert resumed.run(second, pipeline) == "all epochs"
    assert resumed.state.finished

    assert len(first.batches) + len(second.batches) == len(journal.batches)
    for mine, its in zip([*first.batches, *second.batches], journal.batches, strict=True):
        assert mine == pytest.approx(its, rel=1e-4)
    for mine, its in zip(resumed.state.history, whole.state.history, strict=True):
        assert vars(timeless(mine)) == pytest.approx(vars(timeless(its)), rel=1e-3)
    assert resumed.state.best_cer == whole.state.best_cer
    for mine, its in zip(values(resumed.model), values(whole.model), strict=True):
        np.testing.assert_allclose(mine, its, atol=2e-5)
    best = [training.checkpoint.best().get_weights() for training in (resumed, whole)]
    for mine, its in zip(*best, strict=True):
        np.testing.assert_allclose(mine, its, atol=2e-5)


def test_an_epoch_says_what_it_came_to(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None
) -> None:
    training = prepared(replace(RECIPE, epochs=1))
    journal = Journal()
    assert training.run(journal, pipeline) == "all epochs"
    (epoch,) = journal.epochs
    assert training.state.history == [epoch]
    assert training.checkpoint.state() == training.state
    assert epoch.number == 1
    assert 0 < epoch.val_cer <= 3
    assert epoch.val_loss > 0
    assert epoch.train_loss == pytest.approx(journal.batches[-1][3])
    assert epoch.seconds > 0
    assert epoch.lines_per_second == pytest.approx(
        len(WORDS.samples("train")) / epoch.seconds, rel=0.5
    )
    done = [share for _, _, share, _ in journal.batches]
    assert done == sorted(done)
    assert done[-1] == 1


def test_learning_rate_rises_then_falls(prepared: Callable[..., Any]) -> None:
    training = prepared(replace(RECIPE, epochs=10, warmup=0.1, learning_rate=1.0))
    rates = []
    for step in range(101):
        training.state.epoch, training.state.seen = (
            step // 10,
            step % 10 * len(WORDS.samples("train")) // 10,
        )
        rates.append(training._learning_rate())
    assert rates[0] == pytest.approx(0.01)
    assert rates[10] == pytest.approx(1)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)


def test_time_budget_ends_a_training_with_a_validated_network(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None
) -> None:
    training = prepared(replace(RECIPE, epochs=1000, minutes=0.001))
    journal = Journal()
    assert training.run(journal, pipeline) == "time budget"
    assert len(journal.batches) == 1
    assert len(training.state.history) == 1
    assert training.state.finished
    assert training.checkpoint.best().output_shape == training.model.output_shape


def test_a_training_resumed_after_its_time_still_has_a_best_network(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None
) -> None:
    journal = Journal(stop_after=2)
    begun = prepared(stopped=journal.stopped)
    assert begun.run(journal, pipeline) == "interrupted"
    late = prepared(replace(RECIPE, minutes=1e-6), resume=True)
    assert late.run(Journal(), pipeline) == "time budget"
    assert [epoch.number for epoch in late.state.history] == [1]
    assert late.checkpoint.best().output_shape == late.model.output_shape


def test_patience_ends_a_training_that_no_longer_improves(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None
) -> None:
    """Steps as large as these lead nowhere for long."""
    recipe = replace(RECIPE, epochs=60, patience=1, learning_rate=0.5, warmup=0.0)
    training = prepared(recipe, train=WORDS.samples("train")[:4], val=WORDS.samples("val")[:2])
    assert training.run(Journal(), pipeline) == "no longer improving"
    history = training.state.history
    assert len(history) < 60
    best = min((epoch.val_cer, epoch.val_loss) for epoch in history)
    assert (training.state.best_cer, training.state.best_loss) == best
    assert [(epoch.val_cer, epoch.val_loss) for epoch in history].index(best) == len(history) - 2


def test_patience_waits_while_the_loss_still_falls(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None
) -> None:
    """A network first learns to write nothing: for long, every CER is 100 %."""
    training = prepared(replace(RECIPE, epochs=9))
    state = training.state
    losses = iter([9.0, 5.0, 3.0, 3.5, 3.0])
    from trainer import training as module

    def validated(*_: object) -> tuple[Any, float]:
        return score([("abc", "")]), next(losses)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "validate", validated)
        training._clock = 0.0
        stale = []
        for _ in range(5):
            training._close_epoch(Journal(), pipeline)
            stale.append(state.stale)
    assert stale == [0, 0, 0, 1, 2]


def test_without_validation_the_last_network_is_the_best(
    prepared: Callable[..., Any],
    pipeline: Pipeline,
    eager: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    recipe = replace(RECIPE, patience=1, averaging=0)
    training = prepared(recipe, train=WORDS.samples("train")[:4], val=[])
    with caplog.at_level(logging.WARNING):
        assert training.run(Journal(), pipeline) == "all epochs"
    assert "nothing to validate on" in caplog.text
    for mine, its in zip(
        training.checkpoint.best().get_weights(), training.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, its)


def test_a_loss_that_is_no_number_ends_the_training_and_spares_the_checkpoint(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None
) -> None:
    journal = Journal(stop_after=1)
    prepared(stopped=journal.stopped).run(journal, pipeline)
    training = prepared(resume=True)
    sound = values(training.model)
    kernel, bias = training.model.get_layer("logits").get_weights()
    training.model.get_layer("logits").set_weights([kernel * np.nan, bias])
    with pytest.raises(
        FloatingPointError, match=r"became nan in epoch 1\. .* --resume and a lower --learning-rate"
    ):
        training.run(Journal(), pipeline)
    for mine, its in zip(values(prepared(resume=True).model), sound, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_images_of_which_none_can_be_used(prepared: Callable[..., Any], pipeline: Pipeline) -> None:
    broken = [Scrawl(str(number), "a", -1) for number in range(3)]
    with pytest.raises(DatasetError, match="None of the images to train on can be used"):
        prepared(train=broken).run(Journal(), pipeline)


def test_a_few_broken_images_do_not_end_a_training(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [Scrawl("broken", "a", -1), Scrawl("too", "a", -1)]
    training = prepared(
        replace(RECIPE, epochs=1),
        train=[*broken, *WORDS.samples("train")[:4]],
        val=[*broken, *WORDS.samples("val")[:2]],
    )
    with caplog.at_level(logging.WARNING):
        assert training.run(Journal(), pipeline) == "all epochs"
    assert len([r for r in caplog.records if "is skipped" in r.getMessage()]) == 2


def test_a_stop_that_reaches_the_workers_too_is_an_interruption(
    prepared: Callable[..., Any], eager: None
) -> None:
    others = set(psutil.Process().children())

    class Stopped(Journal):
        def on_batch(self, state: Any, done: float, loss: float) -> None:
            super().on_batch(state, done, loss)
            for worker in set(psutil.Process().children()) - others:
                worker.terminate()

    spec = RECIPE.input().model_copy(update={"buckets": [128]})
    journal = Stopped()
    with Pipeline(spec, ALPHABET, workers=1) as own:
        training = prepared(
            replace(RECIPE, batch_size=2),
            train=[*WORDS.samples("train")] * 40,
            stopped=lambda: len(journal.batches) > 3,
        )
        assert training.run(journal, own) == "interrupted"
    assert training.checkpoint.exists()


def test_a_validation_of_nothing_is_no_perfect_one(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None
) -> None:
    broken = [Scrawl("broken", "a", -1)]
    training = prepared(
        replace(RECIPE, epochs=3, patience=1), train=WORDS.samples("train")[:4], val=broken
    )
    assert training.run(Journal(), pipeline) == "all epochs"
    assert training.state.stale == 0
    for mine, its in zip(training.checkpoint.best().get_weights(), averaged(training), strict=True):
        np.testing.assert_array_equal(mine, its)


def averaged(training: Any) -> list[Any]:
    with training.average.in_place():
        return [np.array(each) for each in training.model.get_weights()]


def test_what_a_resumption_may_change(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None
) -> None:
    from trainer.checkpoint import CheckpointError

    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        prepared(resume=True)
    journal = Journal(stop_after=1)
    prepared(stopped=journal.stopped).run(journal, pipeline)
    may = {"epochs": 9, "minutes": 4.0, "patience": 1, "validation_limit": 5, "learning_rate": 9e-4}
    prepared(replace(RECIPE, **may), resume=True)
    with pytest.raises(CheckpointError, match=r"other settings \(batch_size, seed\)"):
        prepared(replace(RECIPE, batch_size=8, seed=4), resume=True)
    with pytest.raises(CheckpointError, match=r"other data \(words\)"):
        prepared(digest="2", name="lines", resume=True)
    with pytest.raises(CheckpointError, match="it has changed since"):
        prepared(digest="2", resume=True)
    with pytest.raises(CheckpointError, match="other data"):
        prepared(alphabet=Alphabet(ALPHABET.characters + "\u00e9"), resume=True)


def test_a_new_training_sets_the_old_checkpoint_aside(
    prepared: Callable[..., Any], pipeline: Pipeline, eager: None
) -> None:
    from trainer.checkpoint import Checkpoint

    journal = Journal(stop_after=1)
    prepared(stopped=journal.stopped).run(journal, pipeline)
    training = prepared()
    assert not training.checkpoint.exists()
    assert Checkpoint(training.checkpoint.folder.with_name("one.before")).exists()


def test_a_training_may_start_from_a_network(prepared: Callable[..., Any]) -> None:
    from trainer.network import build

    start = build("tiny", ALPHABET.classes, seed=77)
    before = start.get_weights()
    for mine, its in zip(prepared(start=start).model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize("batch_size", [1, 4, 16])
def test_validation_does_not_depend_on_the_size_of_batches(
    pipeline: Pipeline, batch_size: int
) -> None:
    """Neither text nor loss: the last batches are filled up, and the fill does not count."""
    from trainer.ctc import ctc_loss
    from trainer.network import build
    from trainer.training import validate

    model = build("tiny", ALPHABET.classes, seed=1)
    samples = WORDS.samples("val")
    pairs, nats = [], 0.0
    for batch in pipeline.batches(samples, 1):
        logits = model.predict_on_batch(batch.ink)[0]
        nats += float(ctc_loss(logits, batch.labels, batch.lengths)) * int(batch.lengths[0])
        labels = [span.label for span in decode.greedy(logits[0], BLANK)]
        pairs.append((batch.samples[0].text, ALPHABET.decode(labels).strip()))
    scores, loss = validate(model, ALPHABET, samples, pipeline, batch_size)
    assert scores == score(pairs)
    assert loss == pytest.approx(nats / sum(len(sample.text) for sample in samples), rel=1e-4)
