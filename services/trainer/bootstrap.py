"""The first start: a version to serve within seconds, before anything is trained.

Imports neither Keras nor TensorFlow: loading them takes longer than all of this.
"""

import logging
from pathlib import Path

import mlflow

from recognizer.bundle import Bundle
from recognizer.manifest import CARD
from trainer.datasets.base import Dataset, comes_of, is_made
from trainer.gate import Decision
from trainer.registry import GATE, REAL, STARTER, Registry, Version
from trainer.tracking import EXPERIMENT

log = logging.getLogger(__name__)

STARTER_BUNDLE = Path(__file__).parent / "starter"


def register_starter(registry: Registry) -> Version:
    """Register the starter bundle, unless it is there, and promote it if nothing else is.

    Returns:
        The version that holds the starter.
    """
    known = registry.versions()
    version = next((each for each in known if each.tags.get(STARTER) == "true"), None)
    if version is None:
        bundle = Bundle.load(STARTER_BUNDLE)
        mlflow.set_experiment(EXPERIMENT)
        with mlflow.start_run(run_name="starter"):
            mlflow.log_artifact(str(bundle.path / CARD))
            version = registry.register(
                bundle,
                description="The starter model that comes with the project; see its model card.",
                tags={STARTER: "true", REAL: "true"},
            )
        log.info("registered the starter as version %s", version.number)
    if registry.current() is None and registry.address.kind != "version":
        decision = Decision("first", "Nothing was in production; the starter needs no training.")
        registry.record_gate(version.number, decision.as_dict())
        registry.promote(version.number)
        log.info("promoted version %s to %s", version.number, registry.address.value)
    return version


def learnt_by_starter(dataset: Dataset) -> bool:
    """Whether the starter's card lists a set of handwriting of this name, or one that this comes
    of: words cut out of its lines, or lines packed from it."""
    if is_made(dataset):
        return False
    card = (STARTER_BUNDLE / CARD).read_text(encoding="utf-8")
    rows = (line.split(" | ")[0] for line in card.splitlines() if line.startswith("| "))
    listed = {row.removeprefix("| ").rpartition("/")[2] for row in rows}
    sources = (f"{kind}/{name}" for kind in ("lines", "page") for name in listed)
    return dataset.name.rpartition("/")[2] in listed or comes_of(dataset, sources)


def trained(registry: Registry) -> list[Version]:
    """Versions that were trained here, to their end: the gate has judged them, or they are of many
    among which a person chooses."""
    ends = (f"{GATE}decision", "splits", "sweep")
    return [
        each
        for each in registry.versions()
        if each.tags.get(STARTER) != "true" and any(tag in each.tags for tag in ends)
    ]
