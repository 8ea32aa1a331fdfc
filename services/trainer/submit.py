"""A finished bundle becomes a version, and the gate decides whether it goes into production."""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow

from recognizer.bundle import Bundle
from trainer import gate
from trainer.corpus import Corpus
from trainer.datasets.catalogue import at_hand
from trainer.gate import Decision
from trainer.metrics import Scores
from trainer.registry import REAL, Registry, Version
from trainer.sizes import SizeName

log = logging.getLogger(__name__)


def submit(
    registry: Registry,
    bundle: Bundle,
    corpus: Corpus,
    scores: Scores | None,
    *,
    size: SizeName,
    data_dir: Path,
    force: bool = False,
) -> tuple[Version, Decision]:
    """Register a bundle within the active MLflow run; promote it if the gate lets it pass.

    Args:
        corpus: what it was trained on.
        scores: of its test splits, greedy decoder.
        data_dir: where real sets may lie that the gate compares on, besides the corpus.
        force: promote it whatever the gate finds.

    Raises:
        RegistryError: the registry refuses.
    """
    incumbent = registry.current()
    tags = {"size": size, "datasets": corpus.name, REAL: str(corpus.real).lower()}
    if scores:
        tags |= {"test_cer": f"{scores.cer:.5f}", "test_wer": f"{scores.wer:.5f}"}
    description = f"{size} CRNN trained on {corpus.name}."
    version = registry.register(bundle, description=description, tags=tags)
    log.info("registered version %s", version.number)
    real = {dataset.name: dataset for dataset in (*at_hand(data_dir), *corpus.datasets)}
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
        force=force,
    )
    registry.record_gate(version.number, decision.as_dict())
    mlflow.log_dict({"new": new, "current": current, **decision.as_dict()}, "gate.json")
    mlflow.set_tags({f"gate.{key}": str(value) for key, value in decision.as_dict().items()})
    if decision.promotes and registry.address.kind != "version":
        registry.promote(version.number)
    log.info("gate: %s. %s", decision.decision, decision.reason)
    return version, decision
