"""`splits` and `sweep`: many runs side by side, on Ray."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from trainer.cli.common import (
    Augmentation,
    Datasets,
    Dropout,
    Failure,
    Optimizer,
    app,
    choice,
    console,
    reported,
    settings,
)
from trainer.recipe import Recipe
from trainer.settings import Settings
from trainer.sizes import OPTIMIZERS, SIZES

if TYPE_CHECKING:
    from trainer.datasets.divided import Fold
    from trainer.study import Study
    from trainer.trial import Ended, Job

log = logging.getLogger(__name__)

GB = 1e9
MEMORY_PER_RUN = 4.0

Cpus = Annotated[
    int | None,
    typer.Option(min=1, help="Cores for all runs together. Default: those of the machine."),
]
Memory = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        help="GB for all runs, Ray and this command together. Default: most of what is free.",
    ),
]
CpusPerRun = Annotated[
    float | None,
    typer.Option(
        min=0.01, help="Cores for each run, also a part of one. Default: all cores stay busy."
    ),
]
MemoryPerRun = Annotated[
    float,
    typer.Option(
        min=0.1,
        help="GB for each run with its workers: as many go side by side as fit into --memory, and "
        "one that takes more is ended.",
    ),
]
GpusPerRun = Annotated[float, typer.Option(min=0.0, help="GPUs for each, also a part of one.")]
Restart = Annotated[
    bool, typer.Option("--restart", help="Begin anew, and forget what was begun or finished.")
]


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
    size: Annotated[
        str | None, typer.Option(help=f"{', '.join(SIZES)}. Default: TRAIN_SIZE.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="At most this many, of each run.")] = 50,
    minutes: Annotated[float | None, typer.Option(min=0.0, help="Time budget of each run.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images in a step.")] = 16,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="At its highest.")] = 1.5e-3,
    patience: Annotated[
        int, typer.Option(min=1, help="Epochs without a better validation CER before it stops.")
    ] = 10,
    augmentation: Augmentation = 1.0,
    dropout: Dropout = None,
    optimizer: Optimizer = "muon",
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order and augmentation.")] = 1,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Random weights instead of the starter's.")
    ] = False,
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
        _check_ray()
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
        job = _job("fold", names, recipe, study, known).model_copy(
            update={
                "fold": fold,
                "from_scratch": from_scratch,
                "tags": {"splits": study.run_id},
            }
        )
        with study:
            with started(cpus, _bytes(memory)):
                each = share(k, int(memory_per_run * GB), cpus=cpus_per_run, gpus=gpus_per_run)
                ended = run_all(Search(job, k), study.runs_folder, each)
                study.settle(ended)
            best = ranked(ended, "val_cer")[0]
            figures = spread(ended)
            _propose(study, best, known)
            study.conclude(ended, figures)
        console.print(_table(rows_of(ended)))
        for what, title in (("test_cer", "Test CER"), ("test_wer", "Test WER")):
            if f"{what}_mean" in figures:
                mean, deviation = figures[f"{what}_mean"], figures[f"{what}_std"]
                console.print(
                    f"{title}: {mean:.2%} in the mean, standard deviation {deviation:.2%}"
                )
        _tell(best)
        _end(study, ended)


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(help="What to search; docs/sweeps.md explains it.")],
    name: Annotated[
        str | None, typer.Option(help="Of the parent run. Default: that of the file.")
    ] = None,
    cpus: Cpus = None,
    memory: Memory = None,
    cpus_per_run: CpusPerRun = None,
    memory_per_run: MemoryPerRun = MEMORY_PER_RUN,
    gpus_per_run: GpusPerRun = 0.0,
    restart: Restart = False,
) -> None:
    """Search settings of a training: random trials, of which poor ones are stopped early.

    The best trial is tested and registered as a version, not promoted; its settings are printed
    as a `train` command. A trial that fails takes no other with it. After a kill or Ctrl-C the
    same command goes on, and tries again what failed. RAY_ADDRESS names a cluster to run on.

    Example: `python -m trainer sweep examples/sweep.yaml`
    """
    with reported():
        _check_ray()
        known = settings()
        from trainer.datasets.catalogue import open_dataset
        from trainer.sweep import command, read

        wanted = read(file)
        for source in wanted.dataset:
            open_dataset(source, known.data_dir)
        with console.status("Starting Ray ..."):
            from trainer.cluster import share, started
            from trainer.study import Study, ranked, rows_of
            from trainer.tuning import run_all, run_one, search

        asked = wanted.model_dump(mode="json", exclude_unset=True)
        study = Study.opened(known, "sweeps", name or file.stem, asked, restart=restart)
        recipe = Recipe(size=known.train_size, epochs=wanted.epochs, minutes=wanted.minutes)
        job = _job("trial", wanted.dataset, recipe, study, known).model_copy(
            update={
                "from_scratch": wanted.from_scratch,
                "tags": {"sweep": study.run_id},
                "task": "train",
            }
        )
        with study:
            with started(cpus, _bytes(memory)):
                each = share(
                    wanted.trials, int(memory_per_run * GB), cpus=cpus_per_run, gpus=gpus_per_run
                )
                ended = run_all(search(job, wanted), study.runs_folder, each)
                study.settle(ended)
                order = ranked(ended, wanted.metric)
                best = order[0]
                # where what failed was tried again, the best may have been registered already
                if not best.error and study.proposed != best.job.name:
                    log.info("%s is the best: testing and registering it", best.job.name)
                    concluding = best.job.model_copy(update={"task": "conclude"})
                    best = replace(best, report=run_one(concluding, each))
                    order[0] = best
            _propose(study, best, known)
            study.conclude(order, best.report.best)
        console.print(_table(rows_of(order)))
        _tell(best)
        if not best.error:
            console.print("To train so again:")
            # not through rich, which would break the line
            typer.echo(command(best.job))
        _end(study, ended)


def _check_ray() -> None:
    """Raises `Failure` where Ray is not installed."""
    if find_spec("ray") is None:
        raise Failure(
            "This needs Ray: pip install -r services/trainer/requirements-ray.txt "
            "(`make splits` and `make sweep` install it)."
        )


def _check_folds(
    names: Sequence[str], known: Settings, fold: "Fold", *, from_scratch: bool
) -> None:
    """Raises `Failure` or `DatasetError` where the datasets cannot be divided so."""
    from trainer.bootstrap import learnt_by_starter
    from trainer.datasets.catalogue import open_dataset
    from trainer.datasets.divided import divided, is_divided

    opened = [open_dataset(name, known.data_dir) for name in names]
    seen = [each.name for each in opened if learnt_by_starter(each)]
    if seen and not from_scratch:
        raise Failure(
            f"{', '.join(seen)}: the starter has learnt from it, and would be tested on documents "
            "that it has seen. Add --from-scratch."
        )
    folds = [replace(fold, number=number) for number in range(1, fold.k + 1)]
    found = [divided(each, one) for one in folds for each in opened]
    if not any(map(is_divided, found)):
        raise Failure(
            f"{' + '.join(names)} has nothing to divide: it is made, and every run would be the "
            "same. Name lines, pages or a fetched set."
        )


def _job(
    name: str, datasets: Sequence[str], recipe: Recipe, study: "Study", known: Settings
) -> "Job":
    from trainer.trial import Job, environment_of

    return Job(
        name=name,
        datasets=tuple(datasets),
        recipe=recipe,
        parent=study.run_id,
        folder=Path.cwd(),
        environment=environment_of(known, study.folder),
    )


def _bytes(gigabytes: float | None) -> int | None:
    return None if gigabytes is None else int(gigabytes * GB)


def _table(rows: Sequence[dict[str, str]]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*names)
    for row in rows:
        table.add_row(*(escape(row.get(name, "")) for name in names))
    return table


def _propose(study: "Study", best: "Ended", known: Settings) -> None:
    """Tag the version of the best run, where it has made one."""
    from trainer.registry import Registry

    if best.report.version and not best.error:
        registry = Registry(known.mlflow_tracking_uri, known.address)
        study.propose(registry, best.report.version, best.job.name)


def _tell(best: "Ended") -> None:
    version = best.report.version
    if not version or best.error:
        return
    console.print(f"Proposed: version {version}, of {best.job.name}. To promote it:")
    typer.echo(f"python -m trainer promote --version {version}")


def _end(study: "Study", ended: "Sequence[Ended]") -> None:
    """Say where everything is. Raises `Failure` where runs have failed, and names them."""
    console.print(f"Runs, table and picture: MLflow run {study.run_id}, {study.picture}")
    failed = [each for each in ended if each.error]
    if failed:
        said = "\n".join(f"{each.job.name}: {each.error}" for each in failed)
        raise Failure(
            f"{len(failed)} of {len(ended)} runs failed; the same command tries them again.\n{said}"
        )
