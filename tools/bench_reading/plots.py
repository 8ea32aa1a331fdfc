"""Pictures of what was measured: SVG, small, the same bytes for the same figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tools.bench_reading.errors import Kind, Slice
from tools.bench_reading.record import Record
from trainer.metrics import Interval

HEIGHT = 4.2  # inches, at a width of 8


def plot_sources(records: Sequence[Record], file: Path) -> None:
    """CER of every reader on every set as bars, with their intervals."""
    readers = list(dict.fromkeys(_reader(record) for record in records))
    sets = list(dict.fromkeys(_set(record) for record in records))
    thick = 0.8 / max(len(readers), 1)
    figure, axes = _axes(max(HEIGHT, 0.25 * len(readers) * len(sets) + 1.5))
    for number, reader in enumerate(readers):
        mine = [record for record in records if _reader(record) == reader]
        rates = [100 * record.scores.cer for record in mine]
        spread = _spread(rates, [record.interval for record in mine])
        rows = [sets.index(_set(record)) + number * thick for record in mine]
        axes.barh(rows, rates, thick, xerr=spread, label=reader, error_kw={"linewidth": 0.8})
    middle = 0.4 - thick / 2
    axes.set_yticks([row + middle for row in range(len(sets))], sets, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.margins(y=0.02)
    axes.set_xlabel("CER, %, with its 95 % interval")
    # outside: bars may reach every corner
    figure.legend(loc="outside upper center", ncols=3)
    _save(figure, file)


def plot_lengths(slices: Sequence[Slice], file: Path) -> None:
    """CER against the length of lines."""
    figure, axes = _axes()
    rates = [100 * each.scores.cer for each in slices]
    spread = _spread(rates, [each.interval for each in slices])
    places = range(len(slices))
    axes.errorbar(places, rates, spread, fmt="o", capsize=3)
    labels = [f"{each.name}\n(n = {each.scores.samples})" for each in slices]
    axes.set_xticks(list(places), labels)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("characters in the line")
    axes.set_ylabel("CER, %, with its 95 % interval")
    _save(figure, file)


def plot_classes(kinds: Sequence[Kind], file: Path) -> None:
    """Share of the characters of each class that were replaced or missed."""
    figure, axes = _axes()
    names = [f"{kind.name} (n = {kind.characters})" for kind in kinds]
    replaced = [100 * kind.replaced / max(kind.characters, 1) for kind in kinds]
    missed = [100 * kind.missed / max(kind.characters, 1) for kind in kinds]
    axes.barh(names, replaced, label="read as another")
    axes.barh(names, missed, left=replaced, label="missed")
    axes.invert_yaxis()
    axes.set_xlabel("share of the true characters, %")
    axes.legend()
    _save(figure, file)


def plot_curve(points: Mapping[str, Sequence[tuple[int, float]]], file: Path, title: str) -> None:
    """CER against the number of lines trained on.

    Args:
        points: set -> (lines, CER) in any order.
    """
    figure, axes = _axes()
    for name, pairs in points.items():
        ordered = sorted(pairs)
        axes.plot(
            [lines for lines, _ in ordered], [100 * cer for _, cer in ordered], "o-", label=name
        )
    ticks = sorted({lines for pairs in points.values() for lines, _ in pairs})
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{lines:,}" for lines in ticks])
    axes.set_xticks([], minor=True)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("lines trained on, of all sets together")
    axes.set_ylabel("CER, %")
    axes.set_title(title, parse_math=False)
    axes.legend()
    _save(figure, file)


def _spread(rates: Sequence[float], intervals: Sequence[Interval]) -> NDArray[np.float64]:
    """How far each interval goes below and above its rate, in percent: shape (2, rates)."""
    ends = [
        (rate - 100 * each.low, 100 * each.high - rate)
        for rate, each in zip(rates, intervals, strict=True)
    ]
    return np.maximum(np.array(ends, np.float64).reshape(-1, 2).T, 0.0)


def _reader(record: Record) -> str:
    return f"{record.reader}, {record.decoder}"


def _set(record: Record) -> str:
    return f"{record.set}, words" if record.level == "word" else record.set


def _axes(height: float = HEIGHT) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # no date and no random names: a picture changes when its figures do
    with matplotlib.rc_context({"svg.hashsalt": file.stem}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
