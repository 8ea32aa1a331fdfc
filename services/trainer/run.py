"""One training from data to a registered version, gate included."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import numpy as np
from mlflow.entities import LifecycleStage, RunStatus
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from recognizer.bundle import Bundle
from recognizer.manifest import CARD
from recognizer.recognizer import Recognizer
from trainer.batches import Pipeline
from trainer.blend import blend
from trainer.bootstrap import STARTER_BUNDLE
from trainer.checkpoint import Checkpoint, CheckpointError
from trainer.cores import limited
from trainer.corpus import Corpus
from trainer.datasets.base import Dataset, Sample
from trainer.datasets.corrections import is_corrections
from trainer.datasets.divided import is_divided
from trainer.decoding.fitting import diagnose
from trainer.evaluation import CHUNK
from trainer.finish import Finished, finish
from trainer.gate import SYNTHETIC, Decision, forgets, spread
from trainer.metrics import Scores
from trainer.network import Crnn
from trainer.recipe import Recipe
from trainer.registry import Registry, Version
from trainer.settings import Settings, is_plain
from trainer.state import Epoch, State
from trainer.submit import Origin, enter, judging, reference_of, submit
from trainer.tracking import Tracking, tracked
from trainer.training import Data, Ending, Listener, Training, validate
from trainer.transfer import start_from

log = logging.getLogger(__name__)

BUNDLE = "bundle"
MOST_DIAGNOSED = 300


@dataclass(frozen=True)
class Plan:
    """What to train and what to do with it then."""

    recipe: Recipe
    datasets: tuple[Dataset, ...]
    name: str = "default"
    start: Path | None = STARTER_BUNDLE
    """Bundle to train on from; None starts with random weights."""
    resume: bool = False
    force: bool = False
    parent: str | None = None
    """Run to nest this one under. A person chooses among such runs: the gate is not asked."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Of the run, and of the version that it registers."""
    only_train: bool = False
    """End with the checkpoint: nothing is exported, tested or registered."""
    cautious: bool = False
    """Go back towards the start as far as it takes to read no set but corrections worse."""
    stopped: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Outcome:
    """How a run ended. Without a version it was interrupted and can be resumed, or only trained;
    without a decision the gate was not asked."""

    ending: Ending
    run_id: str
    version: Version | None = None
    decision: Decision | None = None
    scores: Scores | None = None


class _Reported:
    """Tells the terminal and MLflow how a training goes on."""

    def __init__(self, terminal: Listener, tracking: Tracking) -> None:
        self.terminal = terminal
        self.tracking = tracking

    def on_batch(self, state: State, done: float, loss: float) -> None:
        self.terminal.on_batch(state, done, loss)

    def on_epoch(self, epoch: Epoch, state: State) -> None:
        log.info("%s", epoch.summary())
        try:
            self.tracking.epoch(state.history)
        except Exception as error:  # MLflow raises its own, those of requests and OSErrors
            # hours of training must not hang on a server; the next epoch draws all curves
            log.warning("MLflow did not take epoch %d: %s", epoch.number, error)
        self.terminal.on_epoch(epoch, state)


def run(plan: Plan, settings: Settings, listener: Listener) -> Outcome:
    """Train, evaluate, register, and let the gate decide.

    Raises:
        CheckpointError, DatasetError, ExportError, RegistryError: each with a message for
            the user.
    """
    if not is_plain(plan.name):
        raise CheckpointError(f"--name {plan.name!r}: it must be a plain name, without folders.")
    checkpoint = Checkpoint(settings.checkpoint_dir / plan.name)
    with checkpoint.alone():
        return _run(plan, settings, checkpoint, listener)


def _run(plan: Plan, settings: Settings, checkpoint: Checkpoint, listener: Listener) -> Outcome:
    base = Bundle.load(plan.start) if plan.start else None
    corpus = Corpus.of(plan.datasets, base=base.alphabet if base else None)
    recipe = plan.recipe
    data = Data.of(corpus)
    start, origin = start_from(base, recipe, corpus.alphabet)
    before = [np.array(each) for each in start.get_weights()] if start and plan.cautious else None
    registry = Registry(settings.mlflow_tracking_uri, settings.address)
    resumed = _still_there(registry, checkpoint.run_id() if plan.resume else None)
    for warning in corpus.warnings():
        log.warning("%s", warning)
    training = Training(
        recipe,
        data,
        checkpoint,
        resume=plan.resume,
        start=start,
        origin=origin,
        stopped=plan.stopped,
    )
    if not plan.resume:
        checkpoint.keep_base(base)
    if plan.cautious and training.state.origin != origin:
        raise CheckpointError(
            f"The checkpoint goes on from {training.state.origin}, and by now the training would "
            f"begin with {origin}. Start anew without --resume."
        )
    with (
        tracked(
            settings.mlflow_tracking_uri,
            plan.name,
            resumed=resumed,
            parent=plan.parent,
            tags=plan.tags,
        ) as tracking,
        Pipeline(recipe.input(), corpus.alphabet) as pipeline,
    ):
        checkpoint.keep_run_id(tracking.run_id)
        if tracking.run_id != resumed:
            tracking.start(corpus, recipe, origin)
        log.info("training on %s: %d samples, %s", corpus.name, len(data.train), origin)
        ending = training.run(_Reported(listener, tracking), pipeline)
        log.info("training ended: %s", ending)
        interrupted = Outcome("interrupted", tracking.run_id)
        if ending == "interrupted":
            tracking.status = RunStatus.to_string(RunStatus.KILLED)
            return interrupted
        if plan.only_train:
            return Outcome(ending, tracking.run_id)
        best = checkpoint.best()
        if before:
            _hold(best, before, corpus, settings, registry, pipeline)
        test = corpus.samples("test")
        if test:
            loss = validate(best, corpus.alphabet, test, pipeline, recipe.batch_size)[1]
            mlflow.log_metric("test_loss", loss)
        finished = finish(
            best,
            corpus,
            recipe,
            checkpoint.folder / BUNDLE,
            epochs=len(training.state.history),
            start=training.state.origin,
            base=base,
        )
        scores = _log(finished, test, tracking)
        if plan.stopped():  # after the last epoch: a resumption begins here, with the checkpoint
            tracking.status = RunStatus.to_string(RunStatus.KILLED)
            return interrupted
        divided = tuple(each.name for each in corpus.datasets if is_divided(each))
        made_from = Origin(corpus.name, corpus.real, recipe.size, scores, divided)
        if plan.parent:
            # one that was killed between this and its end, and goes on, has its version already
            version = registry.of_run(tracking.run_id) or enter(
                registry, finished.bundle, made_from, plan.tags
            )
            return Outcome(ending, tracking.run_id, version, None, scores)
        version, decision = submit(
            registry,
            finished.bundle,
            made_from,
            corpus.datasets,
            settings=settings,
            force=plan.force,
        )
        return Outcome(ending, tracking.run_id, version, decision, scores)


def _still_there(registry: Registry, run_id: str | None) -> str | None:
    """The run to go on in; None where somebody has deleted it: the checkpoint is worth more."""
    if run_id is None:
        return None
    try:
        if registry.client.get_run(run_id).info.lifecycle_stage == LifecycleStage.ACTIVE:
            return run_id
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    log.warning("MLflow has run %s no longer: the training goes on in a new one", run_id)
    return None


def _hold(
    network: Crnn,
    before: Sequence[NDArray[np.float32]],
    corpus: Corpus,
    settings: Settings,
    registry: Registry,
    pipeline: Pipeline,
) -> None:
    """See `trainer.blend`. Half of what the gate allows, which looks at the exported network."""
    others = [each for each in corpus.datasets if not is_corrections(each)]
    sets = {
        name: [sample for sample in samples if corpus.alphabet.covers(sample.text)]
        for name, samples in judging(others, settings, corrections=False).items()
    }

    def cers() -> dict[str, float]:
        return {
            name: validate(network, corpus.alphabet, samples, pipeline, CHUNK)[0].cer
            for name, samples in sets.items()
        }

    after = network.get_weights()
    network.set_weights(before)
    limits = [(cers(), 0.5)]
    network.set_weights(after)
    # what was lost to corrections before this training counts, too, as it does for the gate
    first = reference_of(registry, registry.current(), sets, decoder="greedy")
    if first:
        limits.append((first[1], 0.9))

    def worse() -> bool:
        now = cers()
        real = {name: cer for name, cer in now.items() if name != SYNTHETIC}
        return any(
            forgets(now, known, part=part) or forgets(real, known, part=part)
            for known, part in limits
        )

    share = blend(network, before, worse)
    if share is not None:
        mlflow.log_metric("blend", share)


def _log(finished: Finished, test: Sequence[Sample], tracking: Tracking) -> Scores | None:
    """Tell MLflow how the bundle read its test splits."""
    for name, evaluation in finished.tests.items():
        tracking.test(name, evaluation)
    if finished.precision:
        mlflow.log_metrics(
            {
                "val_cer_8_bits": finished.precision.eight_bits,
                "val_cer_32_bits": finished.precision.full,
            }
        )
    mlflow.log_text(finished.card, CARD)
    _log_confidence(Recognizer(finished.bundle, threads=limited()), test)
    whole = finished.whole()
    if whole is None:
        return None
    tracking.test("all", whole)
    scores = whole.scores
    log.info("test: CER %.2f %%, WER %.2f %%", 100 * scores.cer, 100 * scores.wer)
    return scores


def _log_confidence(recognizer: Recognizer, samples: Sequence[Sample]) -> None:
    """How far confidences can be believed on test samples; a part of many will do."""
    if not samples:
        return
    with TemporaryDirectory() as folder:
        figures = diagnose(recognizer, spread(samples, MOST_DIAGNOSED), Path(folder))
        mlflow.log_artifacts(folder, "calibration")
    mlflow.log_metrics({f"test_{name}": value for name, value in figures.items()})
