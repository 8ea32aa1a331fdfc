"""`sweep`: settings of a training searched, side by side on Ray."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.common import Failure, app, console, reported, settings
from trainer.cli.studies import (
    GB,
    MEMORY_PER_RUN,
    TESTED,
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
from trainer.recipe import Recipe

log = logging.getLogger(__name__)


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
        check_ray()
        known = settings()
        from trainer.datasets.base import check_names
        from trainer.datasets.catalogue import open_dataset
        from trainer.sweep import command, read

        wanted = read(file)
        opened = [open_dataset(source, known.data_dir) for source in wanted.dataset]
        check_names(opened)
        if not any(each.samples("val") for each in opened):
            raise Failure("No dataset has a validation split: there is nothing to choose by.")
        with console.status("Starting Ray ..."):
            from trainer.cluster import share, started
            from trainer.study import Study, ranked, rows_of
            from trainer.tuning import run_all, run_one, search

        asked = wanted.model_dump(mode="json", exclude_unset=True)
        study = Study.opened(known, "sweeps", name or file.stem, asked, restart=restart)
        recipe = Recipe(size=known.train_size, epochs=wanted.epochs, minutes=wanted.minutes)
        job = job_for("trial", wanted.dataset, recipe, study, known).model_copy(
            update={
                "from_scratch": wanted.from_scratch,
                "tags": {"sweep": study.run_id},
                "task": "train",
            }
        )
        with study:
            with started(cpus, in_bytes(memory)):
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
            propose(study, best, known)
            study.conclude(order, best.report.best)
        # of the best alone, and told with it
        console.print(table_of(rows_of(order), without={*TESTED, "version"}))
        tell_best(best)
        if not best.error:
            console.print("To train so again:")
            # not through rich, which would break the line
            typer.echo(command(best.job))
        tell_end(study, ended)
