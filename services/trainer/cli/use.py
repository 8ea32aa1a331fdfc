"""`evaluate`, `predict`, `export`: use versions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import Progress, TaskID
from rich.table import Table

from recognizer.recognizer import DECODERS, AskedLevel
from trainer.cli.common import (
    Datasets,
    Failure,
    Key,
    Model,
    app,
    choice,
    client_of,
    console,
    reported,
    settings,
)
from trainer.cli.common import Decoder as DecoderOption
from trainer.datasets.base import SPLITS

if TYPE_CHECKING:
    from trainer.metrics import Scores

Rows = list[tuple[float, str]]
"""Confidence and text: one of a word or a line, one for each line of a page."""
Read = Callable[[Path], Rows]

AskedDecoder = Literal["auto", "greedy", "beam", "lexicon"]
ASKED_DECODERS: tuple[AskedDecoder, ...] = ("auto", *DECODERS)
LEVELS: tuple[AskedLevel, ...] = ("auto", "word", "line", "page")


@app.command()
def evaluate(
    dataset: Datasets = None,
    model: Model = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    decoder: DecoderOption = "greedy",
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most this many samples of each dataset.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the readings here: id, truth, reading, confidence.")
    ] = None,
) -> None:
    """Read a split with a model, as the API would, and print CER and WER.

    CER is edit distance over reference characters, WER the same over words split on spaces,
    each summed over the set.

    Example: `python -m trainer evaluate -d lines:my-lines --split val`
    """
    with reported():
        known = settings()
        from recognizer.recognizer import Recognizer
        from trainer.datasets.catalogue import open_dataset
        from trainer.evaluation import evaluate as judge
        from trainer.models import bundle_of

        part, how = choice("--split", split, SPLITS), choice("--decoder", decoder, DECODERS)
        names = dataset or [known.train_dataset]
        datasets = [open_dataset(name, known.data_dir) for name in names]
        if output:
            _writable(output)
        table = Table("dataset", "samples", "CER", "WER", "edit distance", "exact")
        rows: list[str] = []
        notes: list[str] = []
        with bundle_of(model, known) as bundle:
            recognizer = Recognizer.load(bundle)
            for each in datasets:
                samples = each.samples(part)[:limit]
                with Progress(console=console, transient=True) as bars:
                    task = bars.add_task(f"reading {each.name}", total=len(samples))
                    found = judge(
                        recognizer,
                        samples,
                        decoder=how,
                        progress=partial(_advance, bars, task),
                    )
                table.add_row(each.name, *_figures(found.scores))
                if found.unreadable:
                    notes.append(f"{each.name}: {found.unreadable} could not be read.")
                elif not samples:
                    notes.append(f"{each.name} has no samples in {part}.")
                rows += [
                    f"{judged.sample.id}\t{judged.sample.text}\t{judged.text}"
                    f"\t{judged.confidence:.4f}"
                    for judged in found.judged
                ]
        console.print(table)
        console.print(f"Split {part}, {how} decoder.")
        for note in notes:
            console.print(note, markup=False, highlight=False)
        if output:
            output.write_text("\n".join([*rows, ""]), encoding="utf-8")
        if not rows:
            raise Failure("Nothing was read.")


def _figures(scores: "Scores") -> list[str]:
    """A row of the table, after the name of the set."""
    if not scores.samples:
        return ["0", *["-"] * 4]
    return [
        str(scores.samples),
        f"{scores.cer:.2%}",
        f"{scores.wer:.2%}",
        f"{scores.edit_distance:.2f}",
        f"{scores.exact:.1%}",
    ]


def _writable(file: Path) -> None:
    """Raises `Failure` where it is not, before anything takes long."""
    try:
        file.touch()
    except OSError as error:
        raise Failure(f"--output {file}: {error.strerror}.") from None


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(help="Image files of words, lines or pages.")],
    model: Model = None,
    decoder: Annotated[
        str, typer.Option(help="greedy, beam, lexicon, or auto: the best that the model offers.")
    ] = "auto",
    level: Annotated[
        str, typer.Option(help="word, line, page, or auto: told by shape and content.")
    ] = "auto",
    url: Annotated[
        str | None, typer.Option(help="Ask the API there instead of opening a model.")
    ] = None,
    key: Key = None,
) -> None:
    """Read image files and print what they say, a row for each line of a page.

    Examples:

    `python -m trainer predict examples/*.png`

    `python -m trainer predict --url http://127.0.0.1:8000 examples/*.png`
    """
    with reported():
        how = choice("--decoder", decoder, ASKED_DECODERS)
        shown = choice("--level", level, LEVELS)
        if url and model:
            raise Failure("--url asks the API for its version: leave out --model.")
        from handwriting import RefusedError
        from recognizer.errors import ImageError

        failed = 0
        with _asking(url, key, how, shown) if url else _opening(model, how, shown) as read:
            for file in images:
                try:
                    rows = read(file)
                except (ImageError, RefusedError, OSError) as error:
                    failed += 1
                    console.print(f"{file}: {error}", style="red", markup=False, highlight=False)
                    continue
                for confidence, text in rows:
                    # not through rich, which would turn the tabs into spaces
                    typer.echo(f"{file}\t{confidence:.0%}\t{text}")
        if failed:
            raise Failure(f"{failed} of {len(images)} images could not be read.")


@contextmanager
def _opening(model: str | None, decoder: AskedDecoder, level: AskedLevel) -> Iterator[Read]:
    """What reads an image file here."""
    from recognizer import image
    from recognizer.recognizer import Recognizer
    from trainer.models import bundle_of

    with bundle_of(model, settings()) as bundle:
        recognizer = Recognizer.load(bundle)
        known = recognizer.best_decoder if decoder == "auto" else decoder

        def read(file: Path) -> Rows:
            gray = image.decode(file.read_bytes())
            (lines,) = recognizer.read_any([gray], level=level, decoder=known)
            return [(each.confidence, each.text) for each in lines]

        yield read


@contextmanager
def _asking(url: str, key: str | None, decoder: AskedDecoder, level: AskedLevel) -> Iterator[Read]:
    """What has an image file read by the API."""
    with client_of(url, key) as client:

        def read(file: Path) -> Rows:
            found = client.read(file, decoder=decoder, level=level)
            return [(each.confidence, each.text) for each in found.lines]

        yield read


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="Folder of the bundle; replaced if it exists.")],
    name: Annotated[str, typer.Option(help="Of the training whose checkpoint is taken.")] = (
        "default"
    ),
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of a checkpoint, as `fit` writes it; before --name.")
    ] = None,
    dataset: Datasets = None,
) -> None:
    """Write the best network of a checkpoint as a bundle: ONNX, manifest, golden images, card.

    With the datasets it was trained on, the bundle gets a language model, a lexicon and
    calibrated confidences too, and its card the scores of their test splits.

    Examples:

    `python -m trainer export my-bundle --name first`

    `python -m trainer export my-bundle --checkpoint run1 -d lines:my-lines`
    """
    with reported():
        known = settings()
        from trainer.checkpoint import Checkpoint
        from trainer.datasets.catalogue import open_dataset
        from trainer.export import export_checkpoint
        from trainer.finish import finish_checkpoint

        taken = Checkpoint(checkpoint or known.checkpoint_dir / name)
        opened = [open_dataset(each, known.data_dir) for each in dataset or []]
        if opened:
            with console.status("Judging and calibrating ..."):
                bundle = finish_checkpoint(taken, opened, output).bundle
        else:
            bundle = export_checkpoint(taken, output)
        console.print(f"Wrote {bundle.path}.")


def _advance(bars: Progress, task: TaskID, done: int) -> None:
    bars.update(task, completed=done)
