"""`make bench-reading`, `make bench-train` and `make bench-curve`."""

import datetime
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from recognizer.recognizer import DECODERS, Decoder, Recognizer
from tools.bench_reading.analysis import analyse
from tools.bench_reading.command import told
from tools.bench_reading.page import check, replace_part
from tools.bench_reading.peers import peers
from tools.bench_reading.problem import Problem
from tools.bench_reading.reading import Reader, machine, read_all
from tools.bench_reading.record import LeftOut, Record, Run
from tools.bench_reading.sets import TestSet, sets_of
from tools.bench_reading.table import page_of, percent
from tools.bench_reading.version import VersionReader
from trainer.bootstrap import STARTER_BUNDLE
from trainer.cli.common import choice, console, reported, settings
from trainer.datasets.base import SPLITS, Split, check_names
from trainer.datasets.catalogue import at_hand, open_dataset
from trainer.models import bundle_of
from trainer.settings import Settings
from trainer.sizes import Precision

WORK = Path(".data/bench-reading")
PAGE = Path("docs/reading.md")
PICTURES = Path("docs/reading")

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)

Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        "-d",
        metavar="SOURCE",
        help="lines:PATH, synthetic, iam, ... as `trainer datasets` lists them; repeat it.",
    ),
]
Languages = Annotated[
    list[str] | None,
    typer.Option(
        "--language",
        metavar="SET=CODE",
        help="Language of a set for Tesseract, as in my-letters=deu; repeat it.",
    ),
]
Bfloat16 = Annotated[
    bool,
    typer.Option(
        "--bfloat16", help="Compute in bfloat16 but for the BiLSTMs: faster on new processors."
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="At most the first so many of a set.")]
PageFile = Annotated[Path, typer.Option(help="The page between whose markers the results go.")]


@app.command()
def read(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="[NAME=]MODEL",
            help="A bundle folder or models:/handwriting/3; repeat it. Default: the starter.",
        ),
    ] = None,
    dataset: Sources = None,
    decoder: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(DECODERS)}; repeat it. Default: greedy."),
    ] = None,
    split: Annotated[str, typer.Option(help=", ".join(SPLITS))] = "test",
    limit: Limit = None,
    with_peers: Annotated[
        bool,
        typer.Option("--peers", help="Also Tesseract and PP-OCR; the latter is installed."),
    ] = False,
    language: Languages = None,
    remake: Annotated[
        bool, typer.Option("--remake", help="Make the page from the readings kept before.")
    ] = False,
    readings: Annotated[Path, typer.Option(help="Where every reading is kept.")] = (
        WORK / "readings.json"
    ),
    page: PageFile = PAGE,
) -> None:
    """Read sets with versions and peers; put the table and the errors into the page.

    Without `-d`, synthetic lines and every set below DATA_DIR. The first `-m`, with the first
    decoder, is the one whose errors are explained.
    """
    with reported():
        known = settings()
        check(page, "readings", "errors")
        if not remake:
            part = choice("--split", split, SPLITS)
            run = Run(
                command=told("bench-reading", sys.argv[2:]),
                date=datetime.date.today().isoformat(),
                machine=machine(),
                split=part,
                limit=limit,
                readers={},
            )
            tests = _tests(dataset, part, known, language, limit)
            decoders = [choice("--decoder", each, DECODERS) for each in decoder or ["greedy"]]
            with ExitStack() as stack:
                readers = _versions(model or [str(STARTER_BUNDLE)], decoders, known, stack)
                if with_peers:
                    found, missing = stack.enter_context(peers(WORK / "rapidocr"))
                    readers += found
                    for name, reason in missing.items():
                        run.left_out.append(LeftOut(reader=name, set=None, reason=reason))
                read_all(run, readers, tests, readings, _say)
        run = Run.load(readings)
        text = page_of(run)
        typer.echo(text)
        replace_part(page, "readings", text)
        replace_part(page, "errors", analyse(run, page.parent / PICTURES.name, page))
        console.print(f"Wrote {page}; the readings are in {readings}.", soft_wrap=True)


@app.command()
def train(
    minutes: Annotated[float, typer.Option(min=0.1, help="Of training, for each network.")],
    network: Annotated[
        list[str] | None,
        typer.Option(help="tutorial, small, large; repeat it. Default: tutorial and small."),
    ] = None,
    dataset: Sources = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="Leave this out of each network's training: augmentation, averaging, muon, "
            "synthetic; repeat it for a training without each."
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="As the tutorial trains: no augmentation, Adam.")
    ] = False,
    bfloat16: Bfloat16 = False,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order, augmentation.")] = 1,
) -> None:
    """Train networks from nothing on the same lines for the same time, one after another.

    Ctrl-C writes a checkpoint, and the same command goes on from it.
    """
    with reported():
        known = settings()
        from tools.bench_reading.trial import INGREDIENTS, Ingredient, Trial, corpus_of, train_each

        left_out: list[Ingredient | None] = [
            choice("--without", each, INGREDIENTS) for each in without or []
        ]
        corpus = corpus_of(_names(dataset), known.data_dir)
        trials = [
            Trial(
                name,
                minutes,
                seed=seed,
                plain=plain,
                without=each,
                precision=_precision(bfloat16),
            )
            for name in network or ["tutorial", "small"]
            for each in left_out or [None]
        ]
        trained = train_each(trials, corpus, WORK)
        models = " ".join(f"-m {name}={done.bundle}" for name, done in trained.items())
        console.print(f'Now: make bench-reading ARGS="{models} -d ..."', soft_wrap=True)


@app.command()
def curve(
    minutes: Annotated[float, typer.Option(min=0.1, help="Of training, for each share.")],
    dataset: Sources = None,
    network: Annotated[str, typer.Option(help="small, large or tutorial.")] = "small",
    share: Annotated[
        list[float] | None,
        typer.Option(min=0.001, max=1.0, help="Of the lines; repeat it. Default: 0.1 to 1."),
    ] = None,
    bfloat16: Bfloat16 = False,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order, augmentation.")] = 1,
    limit: Limit = None,
    page: PageFile = PAGE,
) -> None:
    """Train on shares of the lines and draw CER on the test splits against their number.

    Takes as many times `--minutes` as there are shares. Shares that are done are not trained
    again; Ctrl-C writes a checkpoint, and the same command goes on from it.
    """
    with reported():
        known = settings()
        check(page, "curve")
        from tools.bench_reading.curve import SHARES, grow
        from tools.bench_reading.trial import Trial, corpus_of

        precision = _precision(bfloat16)
        trials = [
            Trial(network, minutes, share=each, seed=seed, precision=precision)
            for each in share or SHARES
        ]
        corpus = corpus_of(_names(dataset), known.data_dir)
        tests = _tests(dataset, "test", known, None, limit)
        picture = page.parent / PICTURES.name / "curve.svg"
        command = told("bench-curve", sys.argv[2:])
        made = grow(trials, corpus, tests, WORK / "curve", command, limit=limit)
        made.draw(picture)
        replace_part(page, "curve", made.page(picture.relative_to(page.parent).as_posix()))
        console.print(f"Wrote {page} and {picture}.")


def _precision(bfloat16: bool) -> Precision:
    return "mixed_bfloat16" if bfloat16 else "float32"


def _names(dataset: Sequence[str] | None) -> list[str]:
    if not dataset:
        raise Problem("Name what to train on: -d lines:PATH, and as many more as you like.")
    return list(dataset)


def _tests(
    dataset: Sequence[str] | None,
    split: Split,
    known: Settings,
    language: Sequence[str] | None,
    limit: int | None,
) -> list[TestSet]:
    if dataset:
        datasets = [open_dataset(name, known.data_dir) for name in dataset]
    else:
        datasets = [open_dataset("synthetic", known.data_dir), *at_hand(known.data_dir)]
    check_names(datasets)
    languages = dict(_pair(each, "--language SET=CODE") for each in language or [])
    tests = [
        test for each in datasets for test in sets_of(each, split, languages=languages, limit=limit)
    ]
    if not tests:
        names = ", ".join(each.name for each in datasets)
        raise Problem(f"There is nothing in the {split} splits of {names}.")
    return tests


def _versions(
    models: Sequence[str], decoders: Sequence[Decoder], known: Settings, stack: ExitStack
) -> list[Reader]:
    """Every model with every decoder. A name goes before `=`, else it is the model's own."""
    readers: list[Reader] = []
    taken: set[str] = set()
    for each in models:
        name, _, model = each.rpartition("=")
        own = model if model.startswith("models:") else Path(model).resolve().name
        name = name or own
        if name in taken:
            raise Problem(f"Two models are called {name!r}. Name them, as in -m new={model}")
        taken.add(name)
        bundle = stack.enter_context(bundle_of(model, known))
        recognizer = Recognizer.load(bundle)
        readers += [VersionReader(name, recognizer, decoder) for decoder in decoders]
    return readers


def _pair(text: str, form: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not (name and found and value):
        raise Problem(f"{text!r}: write {form}.")
    return name, value


def _say(done: Record | LeftOut) -> None:
    if isinstance(done, LeftOut):
        told = f"{done.set}: {done.reader} left out, {done.reason}"
    else:
        cer = percent(done.scores.cer)
        told = f"{done.set}, {done.level}s: {done.reader}, {done.decoder}: CER {cer}"
    console.print(told, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    app()
