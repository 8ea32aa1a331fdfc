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
from trainer import gate
from trainer.changes import Changes
from trainer.datasets.base import Dataset, Sample, check_names
from trainer.datasets.catalogue import at_hand
from trainer.datasets.corrections import is_corrections
from trainer.datasets.divided import is_divided
from trainer.evaluation import Evaluation
from trainer.gate import Decision
from trainer.metrics import Scores
from trainer.registry import DIVIDED, REAL, Registry, Version
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


def judging(datasets: Sequence[Dataset], data_dir: Path) -> dict[str, list[Sample]]:
    """What the gate compares on: the frozen set with all that is at hand, and these.

    One of these takes the place of what is at hand by the same name: it is mostly the same set.

    Corrections of fewer than `LEAST_HELD` lines are left out: a gain on those says nothing.
    """
    real = {dataset.name: dataset for dataset in (*at_hand(data_dir), *datasets)}
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
    data_dir: Path,
    force: bool = False,
) -> tuple[Version, Decision]:
    """Register a bundle within the active MLflow run; promote it if the gate lets it pass.

    Args:
        datasets: what the gate compares on, besides the real sets in `data_dir`.
        force: promote it whatever the gate finds.

    Raises:
        DatasetError: two datasets have one name.
        RegistryError: the registry refuses.
    """
    check_names(datasets)  # before there is a version
    version = enter(registry, bundle, origin)
    while True:
        incumbent = registry.current()
        decision = _decided(registry, bundle, origin, datasets, data_dir, version, incumbent, force)
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
    data_dir: Path,
    version: Version,
    incumbent: Version | None,
    force: bool,
) -> Decision:
    """What the gate says of a version beside the one in production."""
    corrections = [dataset.name for dataset in datasets if is_corrections(dataset)]
    sets = judging(datasets, data_dir)
    log.info("the gate compares on %s", ", ".join(f"{k} ({len(v)})" for k, v in sets.items()))
    found = gate.measure(bundle.path, sets)
    new, current, reference = _cers(found), None, None
    if incumbent:
        with TemporaryDirectory() as folder:
            before = gate.measure(registry.bundle(incumbent, Path(folder)), sets)
        current = _cers(before)
        first = registry.version(incumbent.tags.get("gate.reference", "")) if corrections else None
        if first:
            frozen = {name: sets[name] for name in sets if name not in corrections}
            with TemporaryDirectory() as folder:
                measured = gate.measure(registry.bundle(first, Path(folder)), frozen)
            reference = first.number, _cers(measured)
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
