"""Trainings to compare: one network, some share of the lines, so many minutes.

Apart from the trainer's own command in that nothing is registered, nothing stops early, and
every network gets the same time, the same stream of lines and the same validation.
"""

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from tools.bench_reading import tutorial
from tools.bench_reading.problem import Problem
from trainer.batches import Pipeline
from trainer.checkpoint import Checkpoint, CheckpointError
from trainer.cli.common import console
from trainer.cli.train import Stop
from trainer.corpus import Corpus
from trainer.datasets.base import Sample
from trainer.datasets.catalogue import open_dataset
from trainer.datasets.weighted import weight_of
from trainer.export import export_bundle
from trainer.progress import TrainingProgress
from trainer.recipe import Recipe
from trainer.sizes import DEFINITIONS, SIZES, Precision, SizeName
from trainer.state import Epoch, State
from trainer.training import Data, Training

NETWORKS = (tutorial.NAME, *SIZES)

Ingredient = Literal["augmentation", "averaging", "muon", "synthetic"]
INGREDIENTS: tuple[Ingredient, ...] = get_args(Ingredient)
ENDLESS = 1_000_000  # epochs: time alone ends a trial


@dataclass(frozen=True)
class Trial:
    """What to train, and how long.

    `plain` trains as the tutorial does: no augmentation, batches of 64, Adam at 1e-3
    without weight decay. `without` leaves one ingredient out, so that it shows what it gives.
    """

    network: str
    minutes: float
    share: float = 1.0
    seed: int = 1
    plain: bool = False
    without: Ingredient | None = None
    precision: Precision = "float32"

    @property
    def name(self) -> str:
        """Such as `small-60min-10%`: also of its folder, so that trials do not mix."""
        plain = "-plain" if self.plain else ""
        share = f"-{100 * self.share:g}%" if self.share < 1 else ""
        without = f"-no-{self.without}" if self.without else ""
        precision = "-bfloat16" if self.precision == "mixed_bfloat16" else ""
        return f"{self.network}{plain}{without}{precision}-{self.minutes:g}min{share}"

    def lines(self, corpus: Corpus) -> list[Sample]:
        """What it is trained on."""
        left_out = "synthetic" if self.without == "synthetic" else ""
        known = [
            sample
            for each in corpus.datasets
            if each.name != left_out
            for sample in each.samples("train")
            if corpus.alphabet.covers(sample.text)
        ]
        return some(known, self.share, self.seed)

    def recipe(self) -> Recipe:
        """The tutorial's network gets the input of the size `small`. Raises `Problem`."""
        size: SizeName | None = "small" if self.network == tutorial.NAME else None
        size = size or next((known for known in SIZES if known == self.network), None)
        if size is None:
            raise Problem(f"There is no network {self.network!r}; known: {', '.join(NETWORKS)}.")
        recipe = Recipe(
            size=size,
            minutes=self.minutes,
            seed=self.seed,
            epochs=ENDLESS,
            patience=ENDLESS,
            precision=self.precision,
        )
        if self.without == "augmentation":
            recipe = replace(recipe, augmentation=0.0)
        if self.without == "averaging":
            recipe = replace(recipe, averaging=0.0)
        if self.without == "muon":
            recipe = replace(recipe, optimizer="adamw")
        if not self.plain:
            return recipe
        return replace(
            recipe,
            batch_size=64,
            optimizer="adamw",
            learning_rate=1e-3,
            weight_decay=0.0,
            warmup=0.0,
            augmentation=0.0,
        )

    def settings(self) -> dict[str, Any]:
        """All numbers that its recipe and the size of its network come to, as JSON has them.

        Defaults change: what was trained before they did is another network.
        """
        recipe = self.recipe()
        shape = asdict(DEFINITIONS[recipe.size])
        dropout = shape.pop("dropout") if recipe.dropout is None else recipe.dropout
        if self.network == tutorial.NAME:
            shape = {"height": shape["height"]}
        settings = {**recipe.parameters(), "dropout": dropout, "shape": shape}
        return dict(json.loads(json.dumps(settings)))


@dataclass(frozen=True)
class Trained:
    """What came of a trial: `lines` were trained on, for `seconds` and `epochs`."""

    bundle: Path
    lines: int
    epochs: int
    seconds: float


class _Epochs(TrainingProgress):
    """Says what each epoch came to."""

    def on_epoch(self, epoch: Epoch, state: State) -> None:
        _say(f"{epoch.seconds / 60:.1f} min: {epoch.summary()}")


def some(samples: Sequence[Sample], share: float, seed: int) -> list[Sample]:
    """A share of samples, at least one; a smaller share is a part of every larger one."""
    order = list(range(len(samples)))
    random.Random(seed).shuffle(order)
    kept = sorted(order[: max(1, round(share * len(samples)))])
    return [samples[index] for index in kept]


def corpus_of(names: Sequence[str], data_dir: Path) -> Corpus:
    """Sets by name, as one. Raises `DatasetError`, and `Problem` for one with a weight."""
    corpus = Corpus.of([open_dataset(name, data_dir) for name in names])
    if any(weight_of(dataset) != 1 for dataset in corpus.datasets):
        raise Problem(
            "Trainings to compare see every line as often as any other: leave out @WEIGHT."
        )
    return corpus


def train_each(trials: Sequence[Trial], corpus: Corpus, folder: Path) -> dict[str, Trained]:
    """Train one after another, each in its own folder; by name of the trial.

    Raises:
        Problem: Ctrl-C or SIGTERM came; what was done so far is kept.
    """
    done = {}
    stop = Stop()
    for trial in trials:
        trained = train(trial, corpus, folder / trial.name, stopped=stop.asked)
        if trained is None:
            raise Problem("Stopped; the checkpoint is written. The same command goes on from it.")
        done[trial.name] = trained
    return done


def train(
    trial: Trial, corpus: Corpus, folder: Path, *, stopped: Callable[[], bool] = lambda: False
) -> Trained | None:
    """Train, and write the network that read the validation lines best as a bundle.

    An interrupted trial goes on from the checkpoint in its folder.

    Returns:
        None when it was stopped before its time.

    Raises:
        Problem: the checkpoint there is of other settings or data.
    """
    recipe = trial.recipe()
    spec, alphabet = recipe.input(), corpus.alphabet
    lines = trial.lines(corpus)
    if not lines:
        raise Problem(f"{trial.name}: there is nothing left to train on.")
    # a checkpoint compares settings as they were given, which may have come to another network
    made = hashlib.sha256(json.dumps(trial.settings()).encode()).hexdigest()[:12]
    name = f"{corpus.digest()}/{trial.share:g}/{trial.without}/{made}"
    data = Data(name, alphabet, lines, corpus.handwriting("val"))
    checkpoint = Checkpoint(folder / "checkpoint")
    resumed = checkpoint.exists()
    start = None
    if trial.network == tutorial.NAME and not resumed:
        start = tutorial.build(
            spec.height, alphabet.classes, seed=trial.seed, precision=trial.precision
        )
    try:
        training = Training(recipe, data, checkpoint, resume=resumed, start=start, stopped=stopped)
    except CheckpointError as error:
        reason = str(error).split(". ")[0]
        raise Problem(f"{reason}. Remove {folder} to train anew.") from error
    parameters = training.model.count_params()
    _say(f"{trial.name}: {len(lines)} lines, {parameters:,} parameters, {trial.minutes:g} minutes")
    with Pipeline(spec, alphabet) as pipeline, _Epochs(console, ENDLESS) as progress:
        ending = training.run(progress, pipeline)
    if ending == "interrupted":
        return None
    state = training.state
    card = (
        f"# {trial.name}\n\nTrained to be compared, not to be used: {corpus.name}, "
        f"{len(lines)} lines, {state.seconds / 60:.0f} minutes, {len(state.history)} epochs.\n"
    )
    bundle = export_bundle(checkpoint.best(), alphabet, spec, card, folder / "bundle")
    return Trained(bundle.path, len(lines), len(state.history), state.seconds)


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
