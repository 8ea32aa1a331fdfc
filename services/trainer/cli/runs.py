"""`compare` and `sample`: what runs came to."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from trainer.cli.common import Failure, Key, app, client_of, console, reported, settings


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


@app.command()
def sample(
    run: Annotated[str, typer.Argument(help="As `compare` takes it.")],
    url: Annotated[str, typer.Option(help="Of an API, as `serve` starts it.")] = (
        "http://127.0.0.1:8001"
    ),
    number: Annotated[int, typer.Option(min=1, help="Which of the images that it keeps.")] = 1,
    key: Key = None,
) -> None:
    """Have a test image of a run read by a served version: truth and reading side by side.

    Example: `python -m trainer sample models:/handwriting/2 --url http://127.0.0.1:8000`
    """
    with reported():
        known = settings()
        from mlflow import MlflowClient
        from rapidfuzz.distance import Levenshtein

        from trainer.compare import find
        from trainer.samples import fetch

        found = find(MlflowClient(known.mlflow_tracking_uri), run)
        kept = fetch(known.mlflow_tracking_uri, found.id, number)
        with client_of(url, key) as client:
            read = client.read(kept.image)
        edits = Levenshtein.distance(kept.truth, read.text)
        table = Table(kept.id, "")
        table.add_row("truth", escape(kept.truth))
        table.add_row("reading", escape(read.text))
        table.add_row("edit distance", f"{edits} of {len(kept.truth)} characters")
        table.add_row("confidence", f"{read.confidence:.0%}")
        table.add_row("model", f"{read.model.name} {read.model.version} ({read.model.stage})")
        console.print(table)
