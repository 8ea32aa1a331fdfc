"""Runs side by side: what was set differently, what came of it, and the curves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mlflow import MlflowClient
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException

from trainer.tracking import EXPERIMENT

CURVES = ("train_loss", "val_loss", "val_cer", "val_wer", "val_edit_distance", "val_accuracy")
HIGHER_IS_BETTER = ("_exact", "_per_second", "_accuracy", "_accuracy_folded", "_fixed")

Point = tuple[int, float]
"""An epoch, from 1, and a figure of it."""


class RunError(Exception):
    """A run that was named cannot be found, or is not one alone."""


@dataclass(frozen=True)
class Run:
    """One run of the trainer, as MLflow has it."""

    id: str
    name: str
    parameters: dict[str, str]
    scores: dict[str, float]
    """The last figures logged; of those by epoch, the best."""
    curves: dict[str, list[Point]]

    @property
    def label(self) -> str:
        return f"{self.name} {self.id[:8]}"


@dataclass(frozen=True)
class Row:
    """One figure of each run, None where it has none, and which runs have the best."""

    name: str
    values: list[float | None]

    @property
    def best(self) -> set[int]:
        known = [value for value in self.values if value is not None]
        if len(known) < 2 or len(set(known)) == 1:
            return set()
        best = _best_of(self.name)(known)
        return {index for index, value in enumerate(self.values) if value == best}


def find(client: MlflowClient, named: str) -> Run:
    """A run by its id, the beginning of it, its name, or a version `models:/NAME/NUMBER`.

    Raises:
        RunError: none, or several; the message lists those that there are.
    """
    if named.startswith("models:/"):
        return _whole(client, _run_of_version(client, named))
    try:
        return _whole(client, client.get_run(named))
    except MlflowException:
        pass  # no id: perhaps a name, or the beginning of an id
    runs = _runs(client)
    found = [
        run
        for run in runs
        if run.info.run_name == named or (len(named) >= 4 and run.info.run_id.startswith(named))
    ]
    if len(found) == 1:
        return _whole(client, found[0])
    known = ", ".join(f"{run.info.run_name} {run.info.run_id[:8]}" for run in (found or runs)[:10])
    if found:
        raise RunError(f"{len(found)} runs are called {named}; name one by its id: {known}.")
    there = f"the newest are {known}" if known else "there are none yet"
    raise RunError(f"No run is called {named}, and no id begins so; {there}.")


def differing(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Parameters that are not the same in all runs; `-` where a run has none of that name."""
    names = sorted({name for run in runs for name in run.parameters})
    values = {name: [run.parameters.get(name, "-") for run in runs] for name in names}
    return {name: each for name, each in values.items() if len(set(each)) > 1}


def scores(runs: Sequence[Run]) -> list[Row]:
    """Figures of the runs: the test's first, then the training's."""
    names = {name for run in runs for name in run.scores}
    ordered = sorted(names, key=lambda name: (not name.startswith("test_"), name))
    return [Row(name, [run.scores.get(name) for run in runs]) for name in ordered]


def picture(runs: Sequence[Run], file: Path) -> None:
    """Draw validation CER, losses and edit distance against epochs, a colour for each run."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for index, run in enumerate(runs):
        colour = f"C{index}"
        for axes, metric, style in (
            (left, "val_cer", "o-"),
            (middle, "val_loss", "o-"),
            (middle, "train_loss", "--"),
            (right, "val_edit_distance", "o-"),
        ):
            points = run.curves[metric]
            named = run.label if axes is left else None
            x, y = [epoch for epoch, _ in points], [value for _, value in points]
            axes.plot(x, y, style, color=colour, label=named, markersize=4)
    left.set_title("Validation CER")
    middle.set_title("Loss: validation, and dashed training")
    right.set_title("Validation edit distance")
    for axes, unit in ((left, "rate"), (middle, "nats per character"), (right, "characters")):
        axes.set_ylabel(unit)
    for axes in (left, middle, right):
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=min(len(runs), 4))
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def _best_of(figure: str) -> Callable[[list[float]], float]:
    return max if figure.endswith(HIGHER_IS_BETTER) else min


def _run_of_version(client: MlflowClient, named: str) -> MlflowRun:
    name, _, number = named.removeprefix("models:/").rpartition("/")
    try:
        version = client.get_model_version(name, number)
        return client.get_run(str(version.run_id))
    except MlflowException as error:
        raise RunError(
            f"{named} is no version with a run; write models:/NAME/NUMBER: {error.message}"
        ) from error


def _runs(client: MlflowClient) -> list[MlflowRun]:
    """Those of the trainer's experiment, the newest first."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        return []
    return list(client.search_runs([experiment.experiment_id], max_results=1000))


def _whole(client: MlflowClient, run: MlflowRun) -> Run:
    id_ = run.info.run_id
    logged = run.data.metrics
    curves = {
        name: [(each.step, each.value) for each in client.get_metric_history(id_, name)]
        if name in logged
        else []
        for name in CURVES
    }
    figures = {name: value for name, value in logged.items() if not name.startswith("system/")}
    figures.pop("learning_rate", None)
    for name, points in curves.items():
        if points:
            figures[name] = _best_of(name)([value for _, value in points])
    return Run(id_, run.info.run_name or id_[:8], dict(run.data.params), figures, curves)
