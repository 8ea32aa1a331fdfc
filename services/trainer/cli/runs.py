"""`compare`: runs side by side."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from trainer.cli.common import Failure, app, console, reported, settings


@app.command()
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Each an MLflow run id or its beginning, a run's name, or models:/NAME/NUMBER.",
        ),
    ],
    output: Annotated[Path, typer.Option(help="Where the curves are drawn.")] = Path("compare.png"),
) -> None:
    """Print what runs have been set to and what they reached, and draw their curves.

    Only parameters that differ are shown. Figures by epoch are the best of all epochs; the best of
    each row is bold.

    Example: `python -m trainer compare models:/handwriting/2 models:/handwriting/3`
    """
    with reported():
        if len(runs) < 2:
            raise Failure("Name two runs or more.")
        known = settings()
        from mlflow import MlflowClient

        from trainer.compare import differing, find, picture, scores

        client = MlflowClient(known.mlflow_tracking_uri)
        found = [find(client, each) for each in runs]
        table = Table("", *(escape(run.label) for run in found))
        for name, values in differing(found).items():
            table.add_row(name, *map(escape, values))
        table.add_section()
        for row in scores(found):
            cells = ["-" if value is None else f"{value:.4g}" for value in row.values]
            best = row.best
            table.add_row(
                row.name,
                *(
                    f"[bold]{cell}[/]" if index in best else cell
                    for index, cell in enumerate(cells)
                ),
            )
        console.print(table)
        picture(found, output)
        console.print(f"Curves: {output}")
