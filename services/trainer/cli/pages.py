"""`detector` and `pages`: find lines on pages, and measure it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from recognizer.recognizer import DECODERS
from trainer.cli.common import Datasets, Failure, Model, app, choice, console, reported, settings
from trainer.cli.common import Decoder as DecoderOption
from trainer.datasets.base import SPLITS

if TYPE_CHECKING:
    from trainer.detector.pages import PageFile
    from trainer.settings import Settings


@app.command()
def detector(
    output: Annotated[Path, typer.Argument(help="Folder of the training; it goes on from there.")],
    dataset: Datasets = None,
    steps: Annotated[int, typer.Option(min=2, help="Steps of training, of four squares each.")] = (
        3000
    ),
    into: Annotated[
        Path | None, typer.Option(help="A bundle folder that gets the detector when it is done.")
    ] = None,
) -> None:
    """Train what finds the lines on a page, from PAGE XML or ALTO and from composed pages.

    A detector is a part of a bundle; every export takes on that of the version it started from, or
    else the starter's. Without a dataset it learns from composed pages alone.

    Examples:

    `python -m trainer detector my-detector -d page:my-pages --into my-bundle`

    `python -m trainer register my-bundle`
    """
    with reported():
        known = settings()
        from recognizer.bundle import Bundle
        from trainer.detector.bundled import with_detector
        from trainer.detector.fitting import NETWORK, Plan, train

        bundle = Bundle.load(into) if into else None
        plan = Plan(steps=steps)
        pages, held = (_pages(dataset, known, split) for split in ("train", "val"))
        console.print(f"Learning from {len(pages)} pages, choosing by {len(held)}.")
        found = train(pages, held, output, plan, progress=console.print)
        if held:
            console.print(f"Kept: precision {found.precision:.1%}, recall {found.recall:.1%}.")
        if bundle:
            with_detector(bundle, output / NETWORK)
        console.print(f"Wrote {bundle.path if bundle else output / NETWORK}.")


@app.command()
def pages(
    dataset: Datasets = None,
    model: Model = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    decoder: DecoderOption = "greedy",
    pictures: Annotated[
        Path | None, typer.Option(help="A folder for pictures: found in red, marked in green.")
    ] = None,
) -> None:
    """Find and read the lines of pages, and print how well.

    A line is found where a polygon shares at least half of its area with the one that people
    marked (intersection over union). The page CER is edit distance over characters of whole pages,
    so that lines missed, invented or out of order count too.

    Example: `python -m trainer pages -d page:my-pages`
    """
    with reported():
        known = settings()
        from recognizer.recognizer import Recognizer
        from trainer.detector.evaluation import evaluate
        from trainer.models import bundle_of

        part, how = choice("--split", split, SPLITS), choice("--decoder", decoder, DECODERS)
        files = _pages(dataset, known, part)
        if not files:
            raise Failure(f"There is no page in the split {part}.")
        with bundle_of(model, known) as bundle, Progress(console=console, transient=True) as bars:
            recognizer = Recognizer.load(bundle)
            task = bars.add_task("reading pages", total=len(files))
            scores = evaluate(
                recognizer,
                files,
                decoder=how,
                pictures=pictures,
                progress=lambda done: bars.update(task, completed=done),
            )
        table = Table("pages", "lines", "precision", "recall", "page CER", "CER of marked lines")
        table.add_row(
            str(len(files)),
            str(scores.found.wanted),
            f"{scores.found.precision:.1%}",
            f"{scores.found.recall:.1%}",
            f"{scores.page_cer:.2%}",
            f"{scores.line_cer:.2%}",
        )
        console.print(table)
        console.print(f"Split {part}, {how} decoder, a line being found from IoU 0.5 on.")


def _pages(names: list[str] | None, known: "Settings", split: str) -> "list[PageFile]":
    from trainer.datasets.catalogue import open_dataset
    from trainer.detector.pages import page_files

    opened = [open_dataset(name, known.data_dir) for name in names or []]
    part = choice("--split", split, SPLITS)
    return [file for each in opened for file in page_files(each, part)]
