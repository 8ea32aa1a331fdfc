"""`datasets` and `fetch`: what there is to train on."""

from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from trainer.cli.common import Datasets, Failure, app, console, reported, settings


@app.command()
def datasets(dataset: Datasets = None) -> None:
    """Show what can be trained on: the forms of --dataset, the sets at hand, their counts."""
    with reported():
        known = settings()
        from trainer.datasets.base import SPLITS
        from trainer.datasets.catalogue import FORMS, at_hand, open_dataset

        if dataset:
            found = [open_dataset(name, known.data_dir) for name in dataset]
        else:
            console.print("Forms of --dataset:")
            for form in FORMS.values():
                console.print(f"  {form}", markup=False, highlight=False)
            console.print(f"\nAt hand, in {known.data_dir} (DATA_DIR) and without any download:")
            found = [open_dataset("synthetic", known.data_dir), *at_hand(known.data_dir)]
        table = Table("dataset", *SPLITS, "characters", "left out", "licence")
        for each in found:
            counts = [str(len(each.samples(split))) for split in SPLITS]
            texts = (sample.text for split in SPLITS for sample in each.samples(split))
            characters = str(len(set().union(*map(set, texts))))
            skipped = ", ".join(f"{count} {reason}" for reason, count in each.skipped.items())
            table.add_row(each.name, *counts, characters, skipped, each.licence)
        console.print(table)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="iam")],
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="You have read and accept the set's terms.")
    ] = False,
) -> None:
    """Download a dataset into DATA_DIR, checked, unpacked, and resumed when it was cut off."""
    with reported():
        known = settings()
        from trainer.fetch import SOURCES
        from trainer.fetch import fetch as bring

        source = SOURCES.get(name)
        if source is None:
            raise Failure(f"There is no set {name!r} to fetch. Known: {', '.join(SOURCES)}.")
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        with Progress(*columns, TransferSpeedColumn(), console=console) as bars:
            task = bars.add_task(f"fetching {name}", total=None)
            folder = bring(
                source,
                known.data_dir,
                accept_terms=accept_terms,
                progress=lambda done, total: bars.update(task, completed=done, total=total),
            )
        console.print(f"{name} is in {folder}. Train on it: python -m trainer train -d {name}")
