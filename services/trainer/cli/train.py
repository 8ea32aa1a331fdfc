"""`train` and `bootstrap`: make versions."""

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli.common import (
    Datasets,
    Failure,
    Force,
    app,
    choice,
    console,
    reported,
    settings,
)
from trainer.cli.options import (
    Augmentation,
    BatchSize,
    Dropout,
    Epochs,
    FromScratch,
    LearningRate,
    Minutes,
    Optimizer,
    Patience,
    Seed,
    Size,
)
from trainer.cli.versions import tell
from trainer.recipe import Recipe
from trainer.settings import Settings
from trainer.sizes import OPTIMIZERS, SIZES

if TYPE_CHECKING:
    from trainer.datasets.base import Dataset
    from trainer.datasets.divided import Division, Shares
    from trainer.run import Outcome, Plan

FIRST_RUN = "first"
NICENESS = 10
TASKS = ("lines", "characters")


@app.command()
def train(
    context: typer.Context,
    dataset: Datasets = None,
    task: Annotated[
        str,
        typer.Option(help="lines, or characters: a classifier of EMNIST's single characters."),
    ] = "lines",
    size: Size = None,
    epochs: Epochs = 50,
    minutes: Minutes = None,
    batch_size: BatchSize = 16,
    learning_rate: LearningRate = Recipe.learning_rate,
    train_ratio: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="With --val-ratio: divide real sets anew, by documents, this share to train on; "
            "the rest is for the test. Sets that the starter learnt from need --from-scratch. "
            "Default, or 0: the splits that they come with.",
        ),
    ] = None,
    val_ratio: Annotated[
        float | None, typer.Option(min=0, max=1, help="The share to validate on.")
    ] = None,
    split_seed: Annotated[
        int, typer.Option(min=0, help="Of that division: another one gives other splits.")
    ] = 1,
    patience: Patience = 10,
    augmentation: Augmentation = Recipe.augmentation,
    dropout: Dropout = None,
    optimizer: Optimizer = "muon",
    seed: Seed = 1,
    name: Annotated[str, typer.Option(help="Of the run and of its checkpoint.")] = "default",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint of --name.")
    ] = False,
    from_scratch: FromScratch = False,
    force: Force = False,
) -> None:
    """Train a version, register it, promote it if it reads no worse than the current one.

    MLflow has everything afterwards: curves, test scores, sample readings, the model card.
    Ctrl-C and SIGTERM write a checkpoint, and `--resume` goes on from it.

    With `--task characters` it trains a classifier of single characters, which MLflow gets with
    its accuracy and what it confuses, and makes no version. That takes `--epochs`, `--minutes`,
    `--batch-size`, `--learning-rate`, `--patience`, `--augmentation`, `--dropout`, `--seed` and
    `--name`, by defaults of its own (`trainer/characters/recipe.py`).

    Examples:

    `python -m trainer train -d lines:my-lines --minutes 60`

    `python -m trainer train -d iam -d synthetic:20000 --size large --from-scratch`

    `python -m trainer train --task characters -d emnist:path/to/EMNIST`
    """
    with reported():
        known = settings()
        if choice("--task", task, TASKS) == "characters":
            from trainer.cli.characters import train_characters

            train_characters(context, known)
            return
        recipe = Recipe(
            size=choice("--size", size or known.train_size, SIZES),
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
        shares = _shares(train_ratio, val_ratio, split_seed)
        plan = plan_of(recipe, dataset or [known.train_dataset], known, name, shares)
        if shares and not from_scratch:
            check_unseen(plan.datasets)
        run_plan(plan, known, resume=resume, from_scratch=from_scratch, force=force)


@app.command()
def bootstrap() -> None:
    """Make a fresh registry useful: the starter at once, then one version trained here.

    This is what `docker compose up` and `make up` start. Where a version has been trained
    already it trains nothing.
    """
    with reported():
        known = settings()
        # training never takes the processor from serving
        os.nice(NICENESS)
        from trainer.bootstrap import register_starter, trained
        from trainer.registry import Registry

        registry = Registry(known.mlflow_tracking_uri, known.address)
        register_starter(registry)
        have = trained(registry)
        if have:
            console.print(
                f"Version {have[0].number} was trained before: nothing is trained now. "
                "To train another: python -m trainer train --help"
            )
            return
        from trainer.checkpoint import Checkpoint, CheckpointError

        recipe = Recipe(size=known.train_size, minutes=known.train_minutes)
        plan = plan_of(recipe, [known.train_dataset], known, FIRST_RUN)
        cut_off = Checkpoint(known.checkpoint_dir / FIRST_RUN).exists()
        try:
            run_plan(plan, known, resume=cut_off)
        except CheckpointError as error:
            # nobody is there to choose: settings that changed since mean a new training
            console.print(f"{error} Starting anew.", markup=False)
            run_plan(plan, known)


def check_unseen(datasets: "Sequence[Dataset]") -> None:
    """Raises `Failure` where the starter has learnt documents that are to be divided anew."""
    from trainer.bootstrap import learnt_by_starter

    seen = [each.name for each in datasets if learnt_by_starter(each)]
    if seen:
        raise Failure(
            f"{', '.join(seen)}: the starter has learnt from it, and would be tested on documents "
            "that it has seen. Add --from-scratch."
        )


def _shares(train: float | None, val: float | None, seed: int) -> "Shares | None":
    """None where datasets keep their splits."""
    if not train and not val:
        return None
    if not train or not val:
        raise Failure("--train-ratio and --val-ratio go together; the test gets the rest.")
    from trainer.datasets.divided import Shares

    return Shares(train, val, seed)


def plan_of(
    recipe: Recipe,
    names: Sequence[str],
    known: Settings,
    name: str,
    division: "Division | None" = None,
) -> "Plan":
    """What to train, with everything about its data checked."""
    from trainer.datasets.catalogue import open_dataset
    from trainer.datasets.divided import divided

    datasets = tuple(divided(open_dataset(each, known.data_dir), division) for each in names)
    # TensorFlow comes with this import: after everything that can be wrong has been checked
    with console.status("Starting Keras ..."):
        from trainer.run import Plan

    assert isinstance(recipe, Recipe)
    return Plan(recipe, datasets, name=name)


def run_plan(
    plan: "Plan",
    known: Settings,
    *,
    resume: bool = False,
    from_scratch: bool = False,
    force: bool = False,
) -> None:
    """Train, and say how it ended. Ends the command where it was interrupted."""
    from trainer.progress import TrainingProgress
    from trainer.run import run

    stop = Stop()
    start: Path | None = None if from_scratch else plan.start
    plan = replace(plan, resume=resume, force=force, start=start, stopped=stop.asked)
    with TrainingProgress(console, plan.recipe.epochs) as progress:
        outcome = run(plan, known, progress)
    _say(outcome, plan)
    if outcome.version is None:
        raise typer.Exit(128 + (stop.signal or signal.SIGTERM))


def _say(outcome: "Outcome", plan: "Plan") -> None:
    if outcome.version is None or outcome.decision is None:
        console.print(
            "Interrupted; the checkpoint is written. Go on with the same command and "
            f"--resume --name {plan.name}"
        )
        return
    if outcome.scores:
        console.print(
            f"Test: CER {outcome.scores.cer:.2%}, WER {outcome.scores.wer:.2%} on "
            f"{outcome.scores.samples} samples, greedy decoder."
        )
    tell(outcome.version, outcome.decision)


class Stop:
    """Remembers the first Ctrl-C or SIGTERM; a second one ends the process as ever."""

    def __init__(self, said: str = "Stopping: writing a checkpoint ...") -> None:
        self.signal: int | None = None
        self._said = said
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def asked(self) -> bool:
        return self.signal is not None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        console.print(self._said)
