"""`pack`, `words` and `fit`: data made ready, and trained on where a GPU is and little else."""

import signal
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.status import Status

from trainer.cli.common import (
    Datasets,
    Failure,
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
    LearningRate,
    Minutes,
    Optimizer,
    Patience,
    Seed,
)
from trainer.cli.train import Stop
from trainer.datasets.base import Split
from trainer.recipe import Recipe
from trainer.sizes import DEFINITIONS, OPTIMIZERS, SIZES

STARTER = Path(__file__).parents[1] / "starter"
HEIGHT = DEFINITIONS["small"].height


@app.command()
def pack(
    folder: Annotated[Path, typer.Argument(help="New folder to write; open it as lines:FOLDER.")],
    dataset: Datasets = None,
    height: Annotated[int, typer.Option(min=16, help="Of the images at most, in pixels.")] = HEIGHT,
    test: Annotated[bool, typer.Option(help="Take the test splits along too.")] = False,
) -> None:
    """Write datasets as one small folder of line images, to carry to another machine.

    Sets that are made (synthetic, emnist) are refused: name them where you train.

    Example: `python -m trainer pack packed -d peraire -d hooker`
    """
    with reported():
        known = settings()
        from trainer.datasets.catalogue import open_dataset
        from trainer.pack import pack as write

        datasets = [open_dataset(name, known.data_dir) for name in dataset or []]
        if not datasets:
            raise Failure("Name what to pack: -d SOURCE, as often as needed.")
        splits: tuple[Split, ...] = ("train", "val", "test") if test else ("train", "val")
        with console.status("Packing ...") as status:
            done, skipped = write(
                datasets,
                folder,
                height=height,
                splits=splits,
                progress=lambda count: status.update(f"Packing ... {count}"),
            )
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        console.print(f"Packed {done} samples into {folder}, {size / 1e6:.1f} MB.")
        if skipped:
            console.print(f"{skipped} images could not be read and were left out.")


@app.command()
def words(
    folder: Annotated[Path, typer.Argument(help="New folder to write; open it as lines:FOLDER.")],
    dataset: Datasets = None,
    model: Annotated[
        Path, typer.Option("--model", "-m", help="Folder of the bundle that finds the words.")
    ] = STARTER,
    height: Annotated[int, typer.Option(min=16, help="Of the images at most, in pixels.")] = HEIGHT,
    validation: Annotated[
        int,
        typer.Option(min=0, help="Words kept of each validation split: lines count for more."),
    ] = 40,
) -> None:
    """Cut single words out of transcribed lines: a model aligns each line with its text.

    Words that it is not sure to have found are left out, and so are the test splits: a word
    is no fair test of the model that found it.

    Example: `python -m trainer words hooker-words -d hooker`
    """
    with reported():
        known = settings()
        from recognizer.recognizer import Recognizer
        from trainer.datasets.catalogue import open_dataset
        from trainer.pack import check_sources, refuse_used
        from trainer.pack import pack as write
        from trainer.words import SingleWords

        refuse_used(folder)  # before minutes of aligning
        lines = [open_dataset(name, known.data_dir) for name in dataset or []]
        if not lines:
            raise Failure("Name whose words to cut out: -d SOURCE, as often as needed.")
        check_sources(lines)
        finder = Recognizer.load(model)
        splits: tuple[Split, ...] = ("train", "val")
        with console.status("Aligning ...") as status:
            found = []
            for each in lines:
                told = partial(_aligned, status, each.name)
                found.append(
                    SingleWords(each, finder, splits=splits, validation=validation, progress=told)
                )
            done, _ = write(
                found,
                folder,
                height=height,
                splits=splits,
                progress=lambda count: status.update(f"Writing ... {count} words"),
            )
        console.print(f"Wrote {done} words into {folder}.")
        for each in found:
            for reason, count in each.skipped.items():
                console.print(f"{each.name}: {count} left out, {reason}.")


def _aligned(status: Status, name: str, count: int) -> None:
    status.update(f"Aligning {name} ... {count} lines")


@app.command()
def fit(
    folder: Annotated[Path, typer.Argument(help="Folder of the checkpoint.")],
    dataset: Datasets = None,
    size: Annotated[str, typer.Option(help=", ".join(SIZES) + ".")] = "small",
    epochs: Epochs = 50,
    minutes: Minutes = None,
    batch_size: BatchSize = 16,
    learning_rate: LearningRate = Recipe.learning_rate,
    augmentation: Augmentation = Recipe.augmentation,
    dropout: Dropout = None,
    optimizer: Optimizer = "muon",
    patience: Patience = Recipe.patience,
    seed: Seed = 1,
    bfloat16: Annotated[
        bool, typer.Option("--bfloat16", help="Mixed precision: for GPUs and newer processors.")
    ] = False,
    start: Annotated[Path | None, typer.Option(help="Folder of a bundle to train on from.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from FOLDER.")] = False,
) -> None:
    """Train into a checkpoint folder and nothing else: no MLflow, no version, no gate.

    Runs on any Keras backend. `trainer export` makes a bundle of the checkpoint.

    Example: `KERAS_BACKEND=jax python -m trainer fit run1 -d lines:packed --batch-size 128
    --bfloat16 --minutes 30`
    """
    with reported():
        known = settings()
        from trainer.datasets.catalogue import open_dataset

        datasets = [open_dataset(name, known.data_dir) for name in dataset or []]
        if not datasets:
            raise Failure("Name what to train on: -d SOURCE, as often as needed.")
        recipe = Recipe(
            size=choice("--size", size, SIZES),
            epochs=epochs,
            minutes=minutes,
            batch_size=batch_size,
            optimizer=choice("--optimizer", optimizer, OPTIMIZERS),
            learning_rate=learning_rate,
            augmentation=augmentation,
            dropout=dropout,
            patience=patience,
            seed=seed,
            precision="mixed_bfloat16" if bfloat16 else "float32",
        )
        with console.status("Starting Keras ..."):
            from trainer.fit import fit as train
        from trainer.progress import TrainingProgress

        stop = Stop()
        with TrainingProgress(console, epochs) as progress:
            ending = train(
                recipe, datasets, folder, progress, start=start, resume=resume, stopped=stop.asked
            )
        if ending == "interrupted":
            console.print(
                f"Interrupted; the checkpoint is in {folder}. "
                "Go on with the same command and --resume"
            )
            raise typer.Exit(128 + (stop.signal or signal.SIGTERM))
        console.print(f"Training ended: {ending}. The checkpoint is in {folder}.")
