"""The starter model, from sources to bundle: `make` does it all, the others a part of it.

Each command of the trainer is shown before it runs, and what is done is not done again.
"""

import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated

import typer

from recognizer.bundle import Bundle, seal
from recognizer.manifest import CARD
from tools.starter.card import Words, completed
from tools.starter.recipe import DECLARED, Command, StarterRecipe, Workplace, part
from trainer.cli.common import Datasets, Failure, console, reported, settings
from trainer.cli.portable import STARTER
from trainer.datasets.lines import INDEX

MOST_BYTES = 12_000_000

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False
)

Declared = Annotated[
    Path, typer.Option("--recipe", metavar="FILE", help="Another than tools/starter/recipe.toml.")
]
Folder = Annotated[
    Path | None,
    typer.Option(help="Where lines, words and checkpoint go. Default: starter in DATA_DIR."),
]
Minutes = Annotated[
    float | None, typer.Option(min=0.1, help="Of training. Default: as the recipe says.")
]
Fonts = Annotated[
    Path | None,
    typer.Option(help="Folder with more fonts (docs/starter.md). Default: the packaged ten."),
]
Start = Annotated[
    Path | None, typer.Option(help="Folder of a bundle to go on from. Default: random weights.")
]
Bfloat16 = Annotated[
    bool, typer.Option("--bfloat16", help="Mixed precision: for GPUs and newer processors.")
]
Finder = Annotated[Path, typer.Option(help="Folder of the bundle that finds single words.")]
Output = Annotated[
    Path | None, typer.Option(help="Folder of the bundle. Default: bundle in --folder.")
]


@app.command()
def make(
    declared: Declared = DECLARED,
    folder: Folder = None,
    minutes: Minutes = None,
    fonts: Fonts = None,
    start: Start = None,
    bfloat16: Bfloat16 = False,
    finder: Finder = STARTER,
    output: Output = None,
) -> None:
    """Do all of it: fetch the sets, cut lines and words, train, and finish the bundle.

    Ctrl-C keeps what is done; the same command goes on from there.
    """
    with reported():
        recipe, place = _opened(declared, folder)
        _prepare(recipe, place, finder)
        _train(recipe, place, minutes, fonts, start, bfloat16)
        _finish(recipe, place, fonts, output)


@app.command()
def prepare(declared: Declared = DECLARED, folder: Folder = None, finder: Finder = STARTER) -> None:
    """Fetch the sets, cut their lines out of the pages, and single words out of the lines."""
    with reported():
        recipe, place = _opened(declared, folder)
        _prepare(recipe, place, finder)
        console.print(f"Lines and words are in {place.folder}.", markup=False)


@app.command()
def train(
    declared: Declared = DECLARED,
    folder: Folder = None,
    minutes: Minutes = None,
    fonts: Fonts = None,
    start: Start = None,
    bfloat16: Bfloat16 = False,
) -> None:
    """Train on what `prepare` made, by any Keras backend (KERAS_BACKEND=jax on a GPU)."""
    with reported():
        recipe, place = _opened(declared, folder)
        _train(recipe, place, minutes, fonts, start, bfloat16)


@app.command()
def finish(
    declared: Declared = DECLARED,
    folder: Folder = None,
    fonts: Fonts = None,
    output: Output = None,
) -> None:
    """Make a bundle of what `train` left: export, test, quantise, calibrate, describe."""
    with reported():
        recipe, place = _opened(declared, folder)
        _finish(recipe, place, fonts, output)


def _opened(declared: Path, folder: Path | None) -> tuple[StarterRecipe, Workplace]:
    data = settings().data_dir
    return StarterRecipe.load(declared), Workplace(data, folder or data / "starter")


def _prepare(recipe: StarterRecipe, place: Workplace, finder: Path) -> None:
    from trainer.pack import refuse_used

    for command in place.fetching(recipe):
        _run(command)
    for command, folder in place.cutting(recipe, finder):
        refuse_used(folder)  # what is there is no set of lines, and not ours to remove
        shutil.rmtree(part(folder), ignore_errors=True)  # cut off before
        _run(command)
        part(folder).replace(folder)


def _train(
    recipe: StarterRecipe,
    place: Workplace,
    minutes: float | None,
    fonts: Path | None,
    start: Path | None,
    bfloat16: bool,
) -> None:
    from trainer.checkpoint import Checkpoint

    resume = Checkpoint(place.run).exists()
    if resume:
        console.print(f"Going on from {place.run}; remove it to train anew.", markup=False)
    training = place.training(
        recipe,
        minutes=minutes or recipe.minutes,
        fonts=fonts,
        start=start,
        bfloat16=bfloat16,
        resume=resume,
    )
    _run(training)


def _finish(
    recipe: StarterRecipe, place: Workplace, fonts: Path | None, output: Path | None
) -> None:
    bundle = output or place.bundle
    _run(place.exporting(recipe, fonts=fonts, history=_history(place), output=bundle))
    console.print(
        f"The bundle is in {bundle}. How it reads: make bench-reading "
        f'ARGS="-m services/trainer/starter -m {bundle} -d SOURCE"',
        markup=False,
    )


def _history(place: Workplace) -> str:
    from trainer.checkpoint import Checkpoint

    state = Checkpoint(place.run).state()
    hours, minutes = divmod(round(state.seconds / 60), 60)
    return f"in one training of {hours} h {minutes} min from {state.origin}"


def _run(command: Command) -> None:
    """Raises `Failure` where it fails, and ends as it does where a signal stopped it."""
    told = shlex.join(("python", "-m", *command))
    console.print(f"$ {told}", markup=False, highlight=False)
    process = subprocess.Popen([sys.executable, "-m", *command])

    def forward(number: int, frame: FrameType | None) -> None:
        # a terminal's Ctrl-C has reached it already
        if number != signal.SIGINT:
            process.send_signal(number)

    before = {each: signal.signal(each, forward) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if status < 0 or status > 128:
        raise typer.Exit(status if status > 0 else 128 - status)
    if status:
        raise Failure(f"This failed, for the reason above: {told}")


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of `trainer fit`.")],
    words: Annotated[Path, typer.Option(help="Folder of `trainer words` that it was trained on.")],
    history: Annotated[str, typer.Option(help="How the weights came about, for the card.")],
    dataset: Datasets = None,
    output: Annotated[Path, typer.Option(help="Folder to replace.")] = STARTER,
) -> None:
    """Make a starter of any checkpoint: export, test, quantise, calibrate, describe."""
    with reported():
        known = settings()
        from trainer.checkpoint import Checkpoint
        from trainer.datasets.catalogue import open_dataset
        from trainer.export import put, refuse_other
        from trainer.finish import finish_checkpoint

        if not dataset:
            raise Failure("Name what it was trained on: -d SOURCE, but for the single words.")
        found = [open_dataset(name, known.data_dir) for name in dataset]
        if not (words / INDEX).is_file():
            raise Failure(f"{words} is no folder of `trainer words`: it has no {INDEX}.")
        single, fonts = Words.of(words), _more_fonts(dataset)
        refuse_other(output)
        output.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=output.parent) as scratch:  # the last one stays until the end
            made = Path(scratch) / output.name
            bundle = finish_checkpoint(Checkpoint(checkpoint), found, made, inherits=False).bundle
            file = made / CARD
            card = completed(file.read_text("utf-8"), words=single, history=history, fonts=fonts)
            file.write_text(card, encoding="utf-8")
            seal(made, bundle.manifest)
            size = sum(each.stat().st_size for each in made.rglob("*") if each.is_file())
            if size > MOST_BYTES:
                raise Failure(f"It has {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.0f}.")
            put(Bundle.load(made), output)
        console.print(f"{output}: {size / 1e6:.1f} MB.")


def _more_fonts(dataset: Sequence[str]) -> int:
    """How many fonts `synthetic:LINES:FOLDER` adds."""
    from trainer.datasets import fonts
    from trainer.datasets.weighted import without_weight

    parts = [without_weight(name)[0].split(":", 2) for name in dataset]
    folders = [rest[1] for kind, *rest in parts if kind == "synthetic" and len(rest) == 2]
    return sum(len(fonts.in_folder(Path(folder))) for folder in folders)


if __name__ == "__main__":
    app()
