"""One training from data to a registered version, gate included."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from mlflow.entities import RunStatus

from recognizer.alphabet import Alphabet
from recognizer.bundle import Bundle
from recognizer.recognizer import Recognizer
from trainer import gate
from trainer.batches import Pipeline
from trainer.bootstrap import STARTER_BUNDLE
from trainer.card import model_card
from trainer.checkpoint import Checkpoint, load_model
from trainer.corpus import Corpus
from trainer.datasets.base import Dataset
from trainer.datasets.catalogue import at_hand
from trainer.evaluation import Evaluation, evaluate
from trainer.export import KERAS_MODEL, export_bundle
from trainer.gate import Decision
from trainer.metrics import Scores
from trainer.network import Crnn
from trainer.recipe import Recipe
from trainer.registry import REAL, Registry, Version
from trainer.settings import Settings
from trainer.state import Epoch, State
from trainer.tracking import Tracking, tracked
from trainer.training import Data, Ending, Listener, Training, validate
from trainer.transfer import fits, transfer

log = logging.getLogger(__name__)

BUNDLE = "bundle"


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
    stopped: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Outcome:
    """How a run ended. Without a version it was interrupted and can be resumed."""

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
        log.info(
            "epoch %d: loss %.3f, validation loss %.3f, CER %.2f %%, WER %.2f %%, %.1f lines/s",
            epoch.number,
            epoch.train_loss,
            epoch.val_loss,
            100 * epoch.val_cer,
            100 * epoch.val_wer,
            epoch.lines_per_second,
        )
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
    checkpoint = Checkpoint(settings.checkpoint_dir / plan.name)
    base = Bundle.load(plan.start) if plan.start else None
    corpus = Corpus.of(plan.datasets, base=base.alphabet if base else None)
    recipe = plan.recipe
    data = Data(corpus.digest(), corpus.alphabet, corpus.samples("train"), corpus.validation())
    start, origin = _start(base, recipe, corpus.alphabet)
    resumed = checkpoint.run_id() if plan.resume else None
    registry = Registry(settings.mlflow_tracking_uri, settings.address)
    for reason, count in corpus.skipped().items():
        log.warning("left out: %d, %s", count, reason)
    training = Training(
        recipe, data, checkpoint, resume=plan.resume, start=start, stopped=plan.stopped
    )
    with (
        tracked(settings.mlflow_tracking_uri, plan.name, resumed=resumed) as tracking,
        Pipeline(recipe.input(), corpus.alphabet) as pipeline,
    ):
        checkpoint.keep_run_id(tracking.run_id)
        if not plan.resume:
            tracking.start(corpus, recipe, origin)
        log.info("training on %s: %d samples, %s", corpus.name, len(data.train), origin)
        ending = training.run(_Reported(listener, tracking), pipeline)
        log.info("training ended: %s", ending)
        if ending == "interrupted":
            tracking.status = RunStatus.to_string(RunStatus.KILLED)
            return Outcome(ending, tracking.run_id)
        best = checkpoint.best()
        test = corpus.samples("test")
        if test:
            loss = validate(best, corpus.alphabet, test, pipeline, recipe.batch_size)[1]
            mlflow.log_metric("test_loss", loss)
        card = _Card(corpus, recipe, epochs=len(training.state.history), start=origin)
        bundle, scores = _finish(best, card, checkpoint.folder / BUNDLE, tracking)
        version, decision = _submit(registry, bundle, plan, settings, corpus, scores)
        return Outcome(ending, tracking.run_id, version, decision, scores)


def _start(base: Bundle | None, recipe: Recipe, alphabet: Alphabet) -> tuple[Crnn | None, str]:
    """The network to train on from, and where it comes from in words."""
    if base is None:
        return None, "random weights"
    old = load_model(base.path / KERAS_MODEL)
    if not fits(old, recipe.size):
        log.warning("the starter has another size than %s: starting from scratch", recipe.size)
        return None, "random weights"
    network = transfer(old, base.alphabet, recipe.size, alphabet, recipe.seed)
    return network, f"the starter ({base.path.name})"


@dataclass(frozen=True)
class _Card:
    """What the model card says beside the scores."""

    corpus: Corpus
    recipe: Recipe
    epochs: int
    start: str

    def text(self, scores: dict[str, Scores]) -> str:
        return model_card(
            self.corpus, self.recipe, epochs=self.epochs, start=self.start, scores=scores
        )


def _finish(
    model: Crnn, card: _Card, path: Path, tracking: Tracking
) -> tuple[Bundle, Scores | None]:
    """Export, read the test splits with the exported bundle, write the card with the scores."""
    corpus, spec = card.corpus, card.recipe.input()
    with TemporaryDirectory() as folder:
        draft = export_bundle(model, corpus.alphabet, spec, card.text({}), Path(folder) / "bundle")
        recognizer = Recognizer(draft)
        found = {
            dataset.name: evaluate(
                recognizer, [s for s in dataset.samples("test") if corpus.alphabet.covers(s.text)]
            )
            for dataset in corpus.datasets
        }
    found = {name: evaluation for name, evaluation in found.items() if evaluation.judged}
    for name, evaluation in found.items():
        tracking.test(name, evaluation)
    whole = Evaluation(
        tuple(judged for evaluation in found.values() for judged in evaluation.judged),
        sum(evaluation.unreadable for evaluation in found.values()),
    )
    scores = None
    if whole.judged:
        tracking.test("all", whole)
        scores = whole.scores
        log.info("test: CER %.2f %%, WER %.2f %%", 100 * scores.cer, 100 * scores.wer)
    text = card.text({name: evaluation.scores for name, evaluation in found.items()})
    mlflow.log_text(text, "MODEL_CARD.md")
    return export_bundle(model, corpus.alphabet, spec, text, path), scores


def _submit(
    registry: Registry,
    bundle: Bundle,
    plan: Plan,
    settings: Settings,
    corpus: Corpus,
    scores: Scores | None,
) -> tuple[Version, Decision]:
    """Register the bundle and promote it if the gate lets it pass."""
    incumbent = registry.current()
    tags = {"size": plan.recipe.size, "datasets": corpus.name, REAL: str(corpus.real).lower()}
    if scores:
        tags |= {"test_cer": f"{scores.cer:.5f}", "test_wer": f"{scores.wer:.5f}"}
    description = f"{plan.recipe.size} CRNN trained on {corpus.name}."
    version = registry.register(bundle, description=description, tags=tags)
    log.info("registered version %s", version.number)
    real = {dataset.name: dataset for dataset in (*at_hand(settings.data_dir), *plan.datasets)}
    sets = gate.frozen_sets(list(real.values()))
    log.info("the gate compares on %s", ", ".join(f"{k} ({len(v)})" for k, v in sets.items()))
    new = gate.measure(bundle.path, sets)
    current = None
    if incumbent:
        with TemporaryDirectory() as folder:
            current = gate.measure(registry.bundle(incumbent, Path(folder)), sets)
    decision = gate.decide(
        new,
        current,
        incumbent=incumbent.number if incumbent else None,
        new_is_real=corpus.real,
        incumbent_is_real=incumbent.real if incumbent else False,
        force=plan.force,
    )
    registry.record_gate(version.number, decision.as_dict())
    mlflow.log_dict({"new": new, "current": current, **decision.as_dict()}, "gate.json")
    mlflow.set_tags({f"gate.{key}": str(value) for key, value in decision.as_dict().items()})
    if decision.promotes and settings.address.kind != "version":
        registry.promote(version.number)
    log.info("gate: %s. %s", decision.decision, decision.reason)
    return version, decision
