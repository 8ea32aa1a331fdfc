"""`splits`: one training on k splits, side by side on Ray."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli.common import Datasets, Failure, app, choice, console, reported, settings
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
from trainer.cli.studies import (
    GB,
    MEMORY_PER_RUN,
    Cpus,
    CpusPerRun,
    GpusPerRun,
    Memory,
    MemoryPerRun,
    Restart,
    check_ray,
    in_bytes,
    job_for,
    propose,
    table_of,
    tell_best,
    tell_end,
)
from trainer.cli.train import check_unseen
from trainer.recipe import Recipe
from trainer.settings import Settings
from trainer.sizes import OPTIMIZERS, SIZES

if TYPE_CHECKING:
    from trainer.datasets.divided import Fold


@app.command()
def splits(
    dataset: Datasets = None,
    k: Annotated[int, typer.Option("--k", min=2, help="Parts, and runs.")] = 3,
    val_ratio: Annotated[
        float, typer.Option(min=0, max=1, help="Share of all samples that each validates on.")
    ] = 0.1,
    split_seed: Annotated[
        int, typer.Option(min=0, help="Of the division: another one gives other parts.")
    ] = 1,
    size: Size = None,
    epochs: Epochs = 50,
    minutes: Minutes = None,
    batch_size: BatchSize = 16,
    learning_rate: LearningRate = Recipe.learning_rate,
    patience: Patience = 10,
    augmentation: Augmentation = Recipe.augmentation,
    dropout: Dropout = None,
    optimizer: Optimizer = "muon",
    seed: Seed = 1,
    from_scratch: FromScratch = False,
    name: Annotated[str, typer.Option(help="Of the parent run.")] = "splits",
    cpus: Cpus = None,
    memory: Memory = None,
    cpus_per_run: CpusPerRun = None,
    memory_per_run: MemoryPerRun = MEMORY_PER_RUN,
    gpus_per_run: GpusPerRun = 0.0,
    restart: Restart = False,
) -> None:
    """Train k times on different splits, side by side: how much does the split decide?

    k-fold: the documents (writers, letters, pages) of each real set are divided into k parts of
    about the same size, and each run is tested on another one. So every document is tested once,
    by a run that has not seen it. Of the others, some validate (--val-ratio). Sets that are made
    (synthetic, emnist) keep their splits.

    Each run is registered as a version, and none is promoted: the parent run has mean and spread,
    a picture, and which version read its validation split best. After a kill or Ctrl-C the same
    command goes on. RAY_ADDRESS names a cluster to run on.

    Example: `python -m trainer splits -d lines:my-lines --k 3 --minutes 30`
    """
    with reported():
        check_ray()
        known = settings()
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
        names = dataset or [known.train_dataset]
        from trainer.datasets.divided import Fold

        fold = Fold(k, 1, val_ratio, split_seed)
        _check_folds(names, known, fold, from_scratch=from_scratch)
        with console.status("Starting Ray ..."):
            from trainer.cluster import share, started
            from trainer.study import Study, ranked, rows_of, spread
            from trainer.tuning import Search, run_all

        asked = {
            "datasets": names,
            "k": k,
            "val_ratio": val_ratio,
            "split_seed": split_seed,
            "from_scratch": from_scratch,
            **recipe.parameters(),
        }
        study = Study.opened(known, "splits", name, asked, restart=restart)
        job = job_for("fold", names, recipe, study, known).model_copy(
            update={
                "fold": fold,
                "from_scratch": from_scratch,
                "tags": {"splits": study.run_id},
            }
        )
        with study:
            with started(cpus, in_bytes(memory)):
                each = share(k, int(memory_per_run * GB), cpus=cpus_per_run, gpus=gpus_per_run)
                ended = run_all(Search(job, k), study.runs_folder, each)
                study.settle(ended)
            best = ranked(ended, "val_cer")[0]
            figures = spread(ended)
            propose(study, best, known)
            study.conclude(ended, figures)
        console.print(table_of(rows_of(ended)))
        for what, title in (("test_cer", "Test CER"), ("test_wer", "Test WER")):
            if f"{what}_mean" in figures:
                mean, deviation = figures[f"{what}_mean"], figures[f"{what}_std"]
                console.print(
                    f"{title}: {mean:.2%} in the mean, standard deviation {deviation:.2%}"
                )
        tell_best(best)
        tell_end(study, ended)


def _check_folds(
    names: Sequence[str], known: Settings, fold: "Fold", *, from_scratch: bool
) -> None:
    """Raises `Failure` or `DatasetError` where the datasets cannot be divided so."""
    from trainer.datasets.base import check_names
    from trainer.datasets.catalogue import open_dataset
    from trainer.datasets.divided import check_apart, divided, is_divided

    opened = [open_dataset(name, known.data_dir) for name in names]
    check_names(opened)
    if not from_scratch:
        check_unseen(opened)
    folds = [replace(fold, number=number) for number in range(1, fold.k + 1)]
    found = [[divided(each, one) for each in opened] for one in folds]
    check_apart(found[0])
    if not any(map(is_divided, found[0])):
        raise Failure(
            f"{' + '.join(names)} has nothing to divide: it is made, and every run would be the "
            "same. Name lines, pages or a fetched set."
        )
