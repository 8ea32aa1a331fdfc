"""The learning curve: how much better a network reads for more lines to learn from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from recognizer.recognizer import Recognizer
from tools.bench_reading import errors, plots
from tools.bench_reading.kept import Kept
from tools.bench_reading.sets import TestSet
from tools.bench_reading.table import percent, table
from tools.bench_reading.trial import Trial, train_each
from tools.bench_reading.version import VersionReader
from trainer.corpus import Corpus
from trainer.sizes import Precision

SHARES = (0.1, 0.25, 0.5, 1.0)


class Point(BaseModel):
    """One training of the curve. `cer` by set, and over all their lines as `all`.

    `settings` are the trial's, and `limit` is of the lines read of each set. Points kept before
    these were told have none, and are made anew.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: str
    minutes: float
    seed: int
    data: str
    share: float
    precision: Precision
    settings: dict[str, Any] = Field(default_factory=dict)
    limit: int | None = None
    lines: int
    epochs: int
    cer: dict[str, float]

    def of(self, trial: Trial, data: str, limit: int | None) -> bool:
        """Whether this is what came of a trial on these data, read as far."""
        mine = (self.network, self.share, self.data, self.limit, self.settings)
        return mine == (trial.network, trial.share, data, limit, trial.settings())


class Curve(Kept):
    """Points of one kind of training, and the command that makes them."""

    advice = "Train anew."

    command: str
    points: list[Point] = Field(default_factory=list)

    def draw(self, file: Path) -> None:
        """CER of each set against lines, on a logarithmic axis."""
        series = {
            name: [(point.lines, point.cer[name]) for point in self.points if name in point.cer]
            for name in _sets(self.points)
        }
        first = self.points[0]
        title = f"{first.network}, {first.minutes:g} minutes of training for each point"
        plots.plot_curve(series, file, title)

    def page(self, picture: str) -> str:
        """Markdown for the documentation; `picture` is the address of the drawing."""
        sets = _sets(self.points)
        rows = [
            (
                f"{100 * point.share:g} %",
                str(point.lines),
                str(point.epochs),
                *(percent(point.cer[name]) if name in point.cer else "" for name in sets),
            )
            for point in sorted(self.points, key=lambda point: point.lines)
        ]
        return "\n\n".join(
            [
                f"```sh\n{self.command}\n```",
                f"![CER against lines trained on]({picture})",
                table(("share", "lines", "epochs", *(f"CER {name}" for name in sets)), rows),
            ]
        )


def grow(
    trials: Sequence[Trial],
    corpus: Corpus,
    tests: Sequence[TestSet],
    folder: Path,
    command: str,
    *,
    limit: int | None = None,
) -> Curve:
    """Train and read what has not been done yet; the curve is kept after each point.

    Args:
        trials: they differ in their share of the lines.
        folder: of the trainings and of `curve.json`.
        limit: of the lines of each test set, as they were opened with.

    Raises:
        Problem: interrupted, or what is kept cannot be used.
    """
    file = folder / "curve.json"
    known = Curve.load(file).points if file.is_file() else []
    data = corpus.digest()
    curve = Curve(command=command)
    for trial in trials:
        point = next((each for each in known if each.of(trial, data, limit)), None)
        curve.points.append(point or _measure(trial, corpus, tests, folder, data, limit))
        curve.save(file)
    return curve


def _measure(
    trial: Trial,
    corpus: Corpus,
    tests: Sequence[TestSet],
    folder: Path,
    data: str,
    limit: int | None,
) -> Point:
    trained = train_each([trial], corpus, folder)[trial.name]
    reader = VersionReader(trial.name, Recognizer.load(trained.bundle), "greedy")
    records = [reader.read(test) for test in tests]
    cer = {each.name: each.scores.cer for each in errors.by_source(records)}
    return Point(
        network=trial.network,
        minutes=trial.minutes,
        seed=trial.seed,
        data=data,
        share=trial.share,
        precision=trial.precision,
        settings=trial.settings(),
        limit=limit,
        lines=trained.lines,
        epochs=trained.epochs,
        cer=cer,
    )


def _sets(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(name for point in points for name in point.cer))
