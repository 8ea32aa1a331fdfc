"""`datasets` and `fetch`: what there is to train on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from trainer.cli.common import Failure, app, console, reported, settings

if TYPE_CHECKING:
    from trainer.inventory import Inventory


@app.command()
def datasets(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE]...", help="As for --dataset. Default: all at hand."),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Write a picture with samples of each to this file (PNG).")
    ] = None,
    shown: Annotated[int, typer.Option(min=1, help="Samples of each in the picture.")] = 8,
) -> None:
    """Show what can be trained on: counts, documents, characters, licences, pictures.

    Without SOURCE: the forms of --dataset, and every set at hand. With it: these in detail.

    Examples:

    `python -m trainer datasets`

    `python -m trainer datasets page:my-pages --pictures samples.png`
    """
    with reported():
        known = settings()
        from trainer.datasets.catalogue import FORMS, at_hand, made, open_dataset
        from trainer.inventory import inventory, picture_samples

        if names:
            found = [open_dataset(name, known.data_dir) for name in names]
        else:
            console.print("Forms of --dataset:")
            for form in FORMS.values():
                console.print(f"  {form}", markup=False, highlight=False)
            console.print(f"\nAt hand, in {known.data_dir} (DATA_DIR) and without any download:")
            found = [*made(known.data_dir), *at_hand(known.data_dir)]
        starter = _starter_alphabet()
        holds = [inventory(each) for each in found]
        if names:
            for each in holds:
                _tell(each, starter)
        else:
            console.print(_table(holds, starter))
        if pictures is not None:
            try:
                picture_samples(found, pictures, shown=shown)
            except (OSError, ValueError) as error:
                raise Failure(f"Cannot write '{pictures}': {error}.") from error
            console.print(f"Samples are in {pictures}", markup=False)


def _starter_alphabet() -> str:
    """The characters that the starter model writes."""
    from recognizer.bundle import read_manifest
    from recognizer.manifest import NAME

    return read_manifest(Path(__file__).parents[1] / "starter" / NAME).alphabet


def _table(holds: "list[Inventory]", starter: str) -> Table:
    columns = ("dataset", "level", "train", "val", "test", "documents", "characters")
    table = Table(*columns, "not in starter", "left out", "licence")
    for each in holds:
        table.add_row(
            each.name,
            each.level,
            *(str(count) for count in each.samples.values()),
            str(sum(each.documents.values())),
            str(len(each.characters)),
            escape(each.outside(starter)),
            str(sum(each.skipped.values()) or ""),
            escape(each.licence),
        )
    return table


def _tell(each: "Inventory", starter: str) -> None:
    """One dataset in detail."""
    weight = f", weight {each.weight:g}" if each.weight != 1 else ""
    outside = each.outside(starter)
    median, most = each.lengths
    rows = {
        "level": each.level + weight,
        "samples": ", ".join(f"{split} {count}" for split, count in each.samples.items()),
        "documents": ", ".join(f"{split} {count}" for split, count in each.documents.items()),
        "length": f"{median} characters in the middle, {most} at most",
        "characters": f"{len(each.characters)}: {each.characters}",
        "not in starter": f"{len(outside)}: {outside}" if outside else "none",
        "left out": ", ".join(f"{count} {why}" for why, count in each.skipped.items()) or "nothing",
        "licence": each.licence,
    }
    console.print(f"[bold]{escape(each.name)}[/]", highlight=False)
    for title, text in rows.items():
        console.print(f"  {title:<15} {text}", markup=False, highlight=False)


@app.command()
def fetch(
    name: Annotated[
        str | None, typer.Argument(help="Of the set; without it, what there is.")
    ] = None,
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="You have read and accept the set's terms.")
    ] = False,
) -> None:
    """Download a dataset into DATA_DIR, checked, unpacked, and resumed when it was cut off.

    Without a name: what there is, with sizes and licences.
    """
    with reported():
        known = settings()
        from trainer.datasets.catalogue import state_of
        from trainer.datasets.sources import SOURCES
        from trainer.fetch import fetch as bring
        from trainer.fetch import refusal

        if name is None:
            table = Table("name", "MB", "at hand", "what", "licence")
            for each in SOURCES.values():
                here = state_of(each, known.data_dir)
                terms = " (--accept-terms)" if each.terms else ""
                table.add_row(
                    each.name, str(each.megabytes), here, each.about, escape(each.licence + terms)
                )
            console.print(table)
            return
        source = SOURCES.get(name)
        if source is None:
            raise Failure(f"There is no set {name!r} to fetch. Known: {', '.join(SOURCES)}.")
        if source.terms and not accept_terms:
            raise Failure(refusal(source))
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        with Progress(*columns, TransferSpeedColumn(), console=console) as bars:
            # code hosts do not say beforehand how much an archive will be
            about = source.megabytes * 10**6
            task = bars.add_task(f"fetching {name}", total=about)
            folder = bring(
                source,
                known.data_dir,
                accept_terms=accept_terms,
                progress=lambda done, total: bars.update(
                    task, completed=done, total=total or max(done, about)
                ),
            )
        console.print(f"{name} is in {folder}. Its licence: {source.licence}", markup=False)
        console.print(f"Train on it: python -m trainer train -d {name}")
