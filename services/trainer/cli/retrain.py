"""`retrain`: the version in production learns from what people corrected."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli.common import Failure, Force, app, choice, console, reported, settings
from trainer.cli.options import (
    Augmentation,
    BatchSize,
    Dropout,
    Epochs,
    LearningRate,
    Minutes,
    Optimizer,
    Patience,
    Seed,
)
from trainer.cli.train import run_plan
from trainer.recipe import Recipe
from trainer.settings import Settings
from trainer.sizes import OPTIMIZERS

if TYPE_CHECKING:
    from trainer.datasets.base import Dataset

SYNTHETIC = "synthetic:4000"
LEAST_EPOCH = 2000
"""Samples: smaller epochs would be over before a validation pays."""
EPOCH = 4
"""Times as many samples as there are corrections."""


@app.command()
def retrain(
    corrections: Annotated[
        str | None,
        typer.Option(help="Where they are kept. Default: CORRECTIONS_DIR."),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            "-d",
            metavar="SOURCE",
            help="What else to learn from, so that nothing is forgotten. Repeat it to mix. "
            f"Default: {SYNTHETIC}, and every real set in DATA_DIR.",
        ),
    ] = None,
    share: Annotated[
        float, typer.Option(min=0.05, max=1, help="Of corrections among the lines learnt from.")
    ] = 0.5,
    minutes: Minutes = 10,
    epochs: Epochs = 50,
    batch_size: BatchSize = 32,
    learning_rate: LearningRate = 5e-4,
    patience: Patience = 10,
    augmentation: Augmentation = 0.5,
    dropout: Dropout = 0.0,
    optimizer: Optimizer = "muon",
    seed: Seed = 1,
    name: Annotated[str, typer.Option(help="Of the run and of its checkpoint.")] = "retrain",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint of --name.")
    ] = False,
    force: Force = False,
) -> None:
    """Train the version in production on with corrections mixed in; promote it if it has gained.

    It is promoted if it reads corrections better that were held out of its training, and the
    other sets with a CER at most 2 % higher, of what it was. MLflow has both versions' figures, and
    under `corrections` a page of what is fixed and what is newly broken.

    Example: `CORRECTIONS_DIR=.data/corrections python -m trainer retrain --minutes 20`
    """
    with reported():
        known = settings()
        recipe = Recipe(
            epochs=epochs,
            minutes=minutes,
            batch_size=batch_size,
            optimizer=choice("--optimizer", optimizer, OPTIMIZERS),
            learning_rate=learning_rate,
            augmentation=augmentation,
            dropout=dropout,
            patience=patience,
            seed=seed,
        )
        datasets = mixed(corrections, dataset, share, known)
        with TemporaryDirectory(prefix="production-") as folder:
            start = _production(known, Path(folder))
            with console.status("Starting Keras ..."):
                from trainer.run import Plan
                from trainer.transfer import size_of

            plan = Plan(
                replace(recipe, size=size_of(start)),
                tuple(datasets),
                name=name,
                start=start,
                cautious=True,
            )
            run_plan(plan, known, resume=resume, force=force)


def mixed(
    place: str | None, names: Sequence[str] | None, share: float, known: Settings
) -> "list[Dataset]":
    """Corrections and other sets, in proportion. Raises `DatasetError`."""
    from trainer.datasets.catalogue import at_hand, open_dataset
    from trainer.datasets.weighted import LARGEST, Weighted, weight_of
    from trainer.gate import LEAST_HELD

    own = open_dataset(f"corrections:{place}" if place else "corrections", known.data_dir)
    counts = {split: len(own.samples(split)) for split in ("train", "val", "test")}
    console.print(
        f"{sum(counts.values())} corrected lines: {counts['train']} to learn from, "
        f"{counts['val']} that the gate judges by, {counts['test']} to test on."
    )
    if not counts["train"] or counts["val"] < LEAST_HELD:
        raise Failure(
            f"That is too little: the gate needs {LEAST_HELD} lines that are not learnt from, of "
            "other documents. One document in five falls to it: correct some more."
        )
    if names is None:
        others = [*at_hand(known.data_dir), open_dataset(SYNTHETIC, known.data_dir)]
    else:
        others = [open_dataset(each, known.data_dir) for each in names]
    drawn = sum(weight_of(each) * len(each.samples("train")) for each in others)
    if not drawn:
        share = 1.0
    epoch = max(LEAST_EPOCH, EPOCH * counts["train"])
    # few corrections are not drawn a thousand times: their share holds in a smaller epoch
    epoch = min(epoch, int(LARGEST * counts["train"] / share))

    def weighted(dataset: "Dataset", times: float) -> "Dataset":
        inner = dataset.dataset if isinstance(dataset, Weighted) else dataset
        return Weighted(inner, times)

    mine = weighted(own, share * epoch / counts["train"])
    if share == 1:
        return [mine]
    scale = (1 - share) * epoch / drawn
    return [mine, *(weighted(each, scale * weight_of(each)) for each in others)]


def _production(known: Settings, folder: Path) -> Path:
    """The bundle of the version in production, or the starter's."""
    from trainer.bootstrap import STARTER_BUNDLE
    from trainer.registry import Registry

    registry = Registry(known.mlflow_tracking_uri, known.address)
    current = registry.current()
    if current is None:
        console.print("Nothing is in production: it starts from the starter model.")
        return STARTER_BUNDLE
    console.print(f"It starts from version {current.number}, {known.model_uri}.")
    # its name goes into the card of what comes of it
    return registry.bundle(current, folder).rename(folder / f"version-{current.number}")
