"""What `splits` and `sweep` share: options, and what is told of many runs."""

from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from trainer.cli.common import Failure, console
from trainer.recipe import Recipe
from trainer.settings import Settings

if TYPE_CHECKING:
    from trainer.study import Study
    from trainer.trial import Ended, Job

GB = 1e9
TESTED = {"test CER": "test_cer", "test WER": "test_wer"}
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


def check_ray() -> None:
    """Raises `Failure` where Ray is not installed."""
    if find_spec("ray") is None:
        raise Failure(
            "This needs Ray: pip install -r services/trainer/requirements-ray.txt "
            "(`make splits` and `make sweep` install it)."
        )


def job_for(
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


def in_bytes(gigabytes: float | None) -> int | None:
    return None if gigabytes is None else int(gigabytes * GB)


def table_of(rows: Sequence[dict[str, str]], *, without: Collection[str] = ()) -> Table:
    """Runs beside each other, narrow enough to be read in most terminals.

    What is the same of all runs stands below the table instead of in a column.

    Args:
        without: columns to leave out.
    """
    names = [name for name in dict.fromkeys(n for row in rows for n in row) if name not in without]
    same = [name for name in names if len(rows) > 1 and len({row.get(name) for row in rows}) == 1]
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False, caption_justify="left")
    shown = [name for name in names if name not in same]
    for name in shown:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(escape(row.get(name, "")) for name in shown))
    told = [f"{name.replace('_', ' ')} {rows[0][name]}" for name in same if rows[0][name]]
    if told:
        table.caption = escape(f"Of all: {', '.join(told)}")
    return table


def propose(study: "Study", best: "Ended", known: Settings) -> None:
    """Tag the version of the best run, where it has made one."""
    from trainer.registry import Registry

    if best.report.version and not best.error:
        registry = Registry(known.mlflow_tracking_uri, known.address)
        study.propose(registry, best.report.version, best.job.name)


def tell_best(best: "Ended") -> None:
    version = best.report.version
    if not version or best.error:
        return
    found = best.report.test
    scores = ", ".join(f"{name} {found[key]:.2%}" for name, key in TESTED.items() if key in found)
    tested = f" ({scores})" if scores else ""
    console.print(f"Proposed: version {version}, of {best.job.name}{tested}. To promote it:")
    typer.echo(f"python -m trainer promote --version {version}")


def tell_end(study: "Study", ended: "Sequence[Ended]") -> None:
    """Say where everything is. Raises `Failure` where runs have failed, and names them."""
    console.print(f"Runs, table and picture: MLflow run {study.run_id}, {study.picture}")
    failed = [each for each in ended if each.error]
    if failed:
        said = "\n".join(f"{each.job.name}: {each.error}" for each in failed)
        raise Failure(
            f"{len(failed)} of {len(ended)} runs failed; the same command tries them again.\n{said}"
        )
