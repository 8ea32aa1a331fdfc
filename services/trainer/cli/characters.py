"""`train --task characters`: a classifier of single characters instead of a version."""

import signal
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from trainer.characters.recipe import CharacterRecipe
from trainer.cli.common import Failure, console
from trainer.settings import Settings

if TYPE_CHECKING:
    from trainer.characters.run import CharacterOutcome
    from trainer.characters.scores import Judged
    from trainer.datasets.emnist_splits import CharacterSplits

NAME = "characters"
SPLITS_SEED = 1
"""That of the composed lines: what one of them tests on, the other does not train on."""
SHOWN = 8
"""Confusions that are told at the end."""


def train_characters(context: typer.Context, known: Settings) -> None:
    """Train as the options of `train` say, and tell how well the characters are told apart."""
    given = {option: value for option, value in context.params.items() if _typed(context, option)}
    given.pop("task")
    names = given.pop("dataset", None) or ["emnist"]
    name = given.pop("name", NAME)
    recipe = _recipe(given)
    splits = _splits(names, known)
    with console.status("Starting Keras ..."):
        from trainer.characters.run import run
    from trainer.cli.train import Stop
    from trainer.progress import TrainingProgress

    stop = Stop("Stopping ...")
    with TrainingProgress(console, recipe.epochs) as progress:
        outcome = run(
            recipe,
            splits,
            known.mlflow_tracking_uri,
            name,
            stopped=stop.asked,
            on_batch=progress.show,
        )
    _say(outcome, splits)
    if outcome.test is None:
        raise typer.Exit(128 + (stop.signal or signal.SIGTERM))


def _typed(context: typer.Context, option: str) -> bool:
    """Whether it was written on the command line: defaults are those of lines."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _recipe(given: dict[str, Any]) -> CharacterRecipe:
    takes = {field.name for field in fields(CharacterRecipe)}
    # a ratio of 0, say, asks for nothing
    strange = sorted(option for option, value in given.items() if value and option not in takes)
    if strange:
        named = ", ".join("--" + option.replace("_", "-") for option in strange)
        raise Failure(f"{named}: of lines alone, and of no use with --task characters.")
    return CharacterRecipe(**{key: value for key, value in given.items() if key in takes})


def _splits(names: list[str], known: Settings) -> "CharacterSplits":
    from trainer.datasets.catalogue import emnist_folder
    from trainer.datasets.emnist_splits import character_splits

    kind, _, path = names[0].partition(":")
    if len(names) > 1 or kind != "emnist":
        raise Failure(
            "--task characters learns from EMNIST and nothing else: -d emnist:PATH, or -d emnist "
            "for what `trainer fetch emnist` brought."
        )
    if ":" in path:
        raise Failure(f"{names[0]}: numbers of lines and texts are for --task lines.")
    with console.status("Reading EMNIST ..."):
        return character_splits(emnist_folder(path, known.data_dir), SPLITS_SEED)


def _say(outcome: "CharacterOutcome", splits: "CharacterSplits") -> None:
    test = outcome.test
    if test is None:
        console.print(f"Interrupted: run {outcome.run_id} has its epochs, and no classifier.")
        return
    from trainer.characters.scores import ALIKE

    console.print(_table(test))
    console.print(
        f"Test: accuracy {test.accuracy:.2%} on {len(test.truths)} characters of "
        f"{len(test.classes)} classes; {test.folded:.2%} with the cases of {ALIKE} as one.\n"
        f"Measured on {splits.origin}."
    )
    if not splits.official:
        console.print(
            "Published figures for EMNIST are of the official split with all of its train part "
            "to learn from: they do not compare."
        )
    console.print(f"Run {outcome.run_id} has the classifier, its curves and what it confuses.")


def _table(test: "Judged") -> Table:
    table = Table("true", "read", "times", "of its images", title="Most frequent confusions")
    for each in test.confusions()[:SHOWN]:
        table.add_row(each.true, each.read, str(each.count), f"{each.share:.0%}")
    return table
