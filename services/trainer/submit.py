"""A finished bundle becomes a version, and the gate decides whether it goes into production."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow

from recognizer.bundle import Bundle
from recognizer.manifest import CARD
from recognizer.recognizer import Decoder
from trainer import gate
from trainer.changes import Changes
from trainer.datasets.base import Dataset, DatasetError, Sample, check_names
from trainer.datasets.catalogue import at_hand, open_dataset
from trainer.datasets.corrections import NAME as CORRECTIONS
from trainer.datasets.corrections import is_corrections
from trainer.datasets.divided import is_divided
from trainer.evaluation import Evaluation
from trainer.gate import Decision
from trainer.metrics import Scores
from trainer.registry import DIVIDED, GATE, REAL, Registry, Version
from trainer.settings import Settings
from trainer.tracking import EXPERIMENT

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """What a version was made from, as the registry keeps it."""

    data: str
    """Its sources in a line."""
    real: bool
    """Whether any of them was written by a hand."""
    size: str | None = None
    scores: Scores | None = None
    """On its test splits, greedy decoder."""
    divided: tuple[str, ...] = ()
    """Sets that it learnt from in splits of its own."""

    @property
    def description(self) -> str:
        return f"{self.size + ' ' if self.size else ''}CRNN trained on {self.data}."

    @property
    def tags(self) -> dict[str, str]:
        tags = {"datasets": self.data, REAL: str(self.real).lower()}
        if self.size:
            tags["size"] = self.size
        if self.divided:
            tags[DIVIDED] = json.dumps(self.divided)
        if self.scores:
            tags["test_cer"] = f"{self.scores.cer:.5f}"
            tags["test_wer"] = f"{self.scores.wer:.5f}"
        return tags


def enter(
    registry: Registry, bundle: Bundle, origin: Origin, tags: Mapping[str, str] | None = None
) -> Version:
    """Register a bundle within the active MLflow run.

    Raises:
        RegistryError: the registry refuses.
    """
    version = registry.register(
        bundle, description=origin.description, tags={**origin.tags, **(tags or {})}
    )
    log.info("registered version %s", version.number)
    return version


def judging(
    datasets: Sequence[Dataset], settings: Settings, *, corrections: bool = True
) -> dict[str, list[Sample]]:
    """What the gate compares on: the frozen set with all that is at hand, and these.

    One of these takes the place of what is at hand by the same name: it is mostly the same set.

    Corrections of fewer than `LEAST_HELD` lines are left out: a gain on those says nothing.

    Args:
        corrections: take those in that are kept, whether the version has learnt from them or not:
            else it would be promoted that has forgotten them.
    """
    found = [*at_hand(settings.data_dir), *datasets]
    if corrections and settings.corrections_dir and not any(map(is_corrections, datasets)):
        try:
            found.append(open_dataset(CORRECTIONS, settings.data_dir))
        except DatasetError as error:
            log.info("the gate does without corrections: %s", error)
    real = {dataset.name: dataset for dataset in found}
    few = {
        name
        for name, dataset in real.items()
        if is_corrections(dataset) and len(dataset.samples("val")) < gate.LEAST_HELD
    }
    return gate.frozen_sets([dataset for name, dataset in real.items() if name not in few])


def submit(
    registry: Registry,
    bundle: Bundle,
    origin: Origin,
    datasets: Sequence[Dataset],
    *,
    settings: Settings,
    force: bool = False,
) -> tuple[Version, Decision]:
    """Register a bundle within the active MLflow run; promote it if the gate lets it pass.

    Args:
        datasets: what the gate compares on, besides what `judging` finds at hand.
        force: promote it whatever the gate finds.

    Raises:
        DatasetError: two datasets have one name.
        RegistryError: the registry refuses.
    """
    check_names(datasets)  # before there is a version
    _close(registry)
    version = enter(registry, bundle, origin)
    while True:
        incumbent = registry.current()
        decision = _decided(registry, bundle, origin, datasets, settings, version, incumbent, force)
        now = registry.current()
        if not decision.promotes or _number(now) == _number(incumbent):
            break
        log.warning("production is version %s by now: comparing again", _number(now))
    registry.record_gate(version.number, decision.as_dict())
    mlflow.set_tags({f"gate.{key}": str(value) for key, value in decision.as_dict().items()})
    if decision.promotes:
        registry.promote(version.number)
    log.info("gate: %s. %s", decision.decision, decision.reason)
    return version, decision


def _number(version: Version | None) -> str | None:
    return version.number if version else None


def _decided(
    registry: Registry,
    bundle: Bundle,
    origin: Origin,
    datasets: Sequence[Dataset],
    settings: Settings,
    version: Version,
    incumbent: Version | None,
    force: bool,
) -> Decision:
    """What the gate says of a version beside the one in production."""
    corrections = [dataset.name for dataset in datasets if is_corrections(dataset)]
    sets = judging(datasets, settings)
    log.info("the gate compares on %s", ", ".join(f"{k} ({len(v)})" for k, v in sets.items()))
    found = gate.measure(bundle.path, sets)
    new, current, reference = _cers(found), None, None
    if incumbent:
        with TemporaryDirectory() as folder:
            before = gate.measure(registry.bundle(incumbent, Path(folder)), sets)
        current = _cers(before)
        if corrections:
            frozen = {name: sets[name] for name in sets if name not in corrections}
            reference = reference_of(registry, incumbent, frozen)
        for name in set(corrections) & set(found):
            changes = Changes.between(before[name], found[name])
            changes.log(name, incumbent.number, version.number)
    decision = gate.decide(
        new,
        current,
        incumbent=incumbent.number if incumbent else None,
        new_is_real=origin.real,
        incumbent_is_real=incumbent.real if incumbent else False,
        divided=[dataset.name for dataset in datasets if is_divided(dataset)],
        incumbent_divided=[
            name for name in (incumbent.divided if incumbent else ()) if name in new
        ],
        corrected=corrections,
        reference=reference,
        force=force,
    )
    if decision.promotes and registry.address.kind == "version":
        reason = f"MODEL_URI pins version {registry.address.value}. {decision.reason}"
        decision = replace(decision, decision="rejected", reason=reason)
    mlflow.log_dict({"new": new, "current": current, **decision.as_dict()}, "gate.json")
    return decision


def reference_of(
    registry: Registry,
    incumbent: Version | None,
    sets: Mapping[str, Sequence[Sample]],
    *,
    decoder: Decoder | None = None,
) -> tuple[str, dict[str, float]] | None:
    """The version that those which learn from corrections are held to, and its CERs.

    None where that is the incumbent itself.
    """
    first = registry.version(incumbent.tags.get("gate.reference", "")) if incumbent else None
    if first is None:
        return None
    with TemporaryDirectory() as folder:
        found = gate.measure(registry.bundle(first, Path(folder)), sets, decoder=decoder)
    return first.number, _cers(found)


def _close(registry: Registry) -> None:
    """Where this run was killed before the gate had decided, say so of what it had registered."""
    run = mlflow.active_run()
    left = registry.of_run(run.info.run_id) if run else None
    if left and f"{GATE}decision" not in left.tags:
        reason = "Its training was killed before it was compared; it went on with another version."
        registry.record_gate(left.number, Decision("rejected", reason).as_dict())


def _cers(found: Mapping[str, Evaluation]) -> dict[str, float]:
    return {name: evaluation.scores.cer for name, evaluation in found.items()}


@contextmanager
def run_of(bundle: Bundle, origin: Origin) -> Iterator[None]:
    """An MLflow run for a bundle made elsewhere, to submit it in."""
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=f"registered {bundle.path.name}"):
        mlflow.log_params({"datasets": origin.data})
        if (bundle.path / CARD).is_file():
            mlflow.log_artifact(str(bundle.path / CARD))
        yield
