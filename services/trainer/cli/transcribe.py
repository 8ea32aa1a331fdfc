"""`transcribe`: read whole corpora."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from recognizer.recognizer import DECODERS
from trainer.cli.common import Decoder as DecoderOption
from trainer.cli.common import Failure, Model, app, choice, console, reported, settings

if TYPE_CHECKING:
    from trainer.transcription.pipeline import Progress as State

TOLD_SECONDS = 30.0
"""Between two lines about how far it is, where nobody is at a terminal."""


@app.command()
def transcribe(
    images: Annotated[
        list[str],
        typer.Argument(
            help="Image files, folders (all images at any depth), patterns such as "
            "'scans/**/*.jpg', or the same in a bucket: s3://..., gs://..., abfss://..."
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            help="Folder of the Parquet files, as pandas, Ray and Spark read it by its name; may "
            "be in a bucket."
        ),
    ],
    model: Model = None,
    decoder: DecoderOption = "greedy",
    text: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Write a text file for each image, too: 1.png.txt."),
    ] = None,
    page_xml: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Write PAGE XML for each image, too: 1.png.xml."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="How many read at a time, a core each. Default: all cores."),
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Forget what could not be read before, and so read it again, as after an outage.",
        ),
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Delete the readings in --out, and begin anew.")
    ] = False,
) -> None:
    """Read all images of a corpus, words, lines or pages, on Ray.

    Stopped or killed at any moment, the same command goes on where it was: what --out has is not
    read again. So new images of the corpus can be read later, and --text and --page-xml be given
    later. An image that cannot be read gets a row with the reason in its column `error`; the exit
    status is 0 all the same, and the last lines say how many there were.

    With RAY_ADDRESS set it reads on that cluster, else on this machine.

    Examples:

    `python -m trainer transcribe scans --out readings.parquet`

    `python -m trainer transcribe 'scans/**/*.jpg' --out readings.parquet --page-xml pages`

    `python -m trainer transcribe s3://archive/letters --out s3://archive/readings.parquet`
    """
    with reported():
        how = choice("--decoder", decoder, DECODERS)
        if not find_spec("ray"):
            raise Failure(
                "Transcribing needs Ray: pip install -r services/trainer/requirements-ray.txt, "
                "or make transcribe."
            )
        if restart and retry_failed:
            raise Failure("--restart reads everything anew: --retry-failed says nothing beside it.")
        known = settings()
        from recognizer.bundle import digest
        from recognizer.manifest import NAME
        from recognizer.recognizer import Recognizer
        from trainer.models import found_of
        from trainer.transcription.files import write_pages, write_texts
        from trainer.transcription.listing import Listing
        from trainer.transcription.pipeline import transcribe as read
        from trainer.transcription.readings import Readings, Reads

        listing, readings = Listing(images), Readings(out)
        started = time.monotonic()
        with readings.writing(), found_of(model, known) as found:
            # opened here, too: what is wrong with it is told better than by a worker
            offered = Recognizer.load(found.path, threads=1).decoders
            how = choice("--decoder", how, offered)
            reads = Reads(found.name, digest(found.path / NAME), how)
            if restart:
                readings.clear()
            elif retry_failed:
                console.print(f"Failed before: {readings.forget_failed(reads)}", highlight=False)
            with _shown() as told:
                end = read(listing, readings, found.path, reads, processes=processes, told=told)
        if not end.known + end.read:
            raise Failure(f"There is no image in {', '.join(images)}.")
        console.print(_summary(end, time.monotonic() - started), highlight=False)
        console.print(f"Readings: {readings.name}", markup=False, highlight=False)
        if text:
            console.print(f"Text files in {text}: {write_texts(readings, text)}")
        if page_xml:
            console.print(f"PAGE XML files in {page_xml}: {write_pages(readings, page_xml)}")


def _summary(end: "State", seconds: float) -> str:
    if not end.read:
        return f"Nothing to do: all {end.known} images have been read before."
    before = f", {end.known} before" if end.known else ""
    failed = f"; {end.failed} could not be read, see the column `error`" if end.failed else ""
    return f"{end.read} images read in {seconds:.0f} s{before}{failed}."


@contextmanager
def _shown() -> "Iterator[Callable[[State], None]]":
    """Shows how far it is: a bar for a person, a line now and then for a log."""
    pace = _Pace()
    told_at = time.monotonic()

    def line(state: "State") -> None:
        nonlocal told_at
        text = pace.line(state)
        if time.monotonic() - told_at >= TOLD_SECONDS:
            told_at = time.monotonic()
            console.print(text, highlight=False)

    if not console.is_terminal:
        yield line
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bars:
        task = bars.add_task("starting Ray ...", total=None)

        def bar(state: "State") -> None:
            bars.update(
                task,
                completed=state.read,
                total=state.listed if state.whole else None,
                description=pace.line(state),
            )

        yield bar


class _Pace:
    """How fast it goes, from the first images on: Ray takes a while to start."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def line(self, state: "State") -> str:
        now = time.monotonic()
        self._first = self._first or (now, state.read)
        began, before = self._first
        speed = f", {(state.read - before) / (now - began):.1f} a second" if now > began else ""
        return f"{state.read} images read{speed}, {state.failed} failed"
