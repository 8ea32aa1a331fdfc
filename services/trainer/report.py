"""Pictures and lists of a run, for people who would look rather than read."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from trainer.evaluation import Judged
from trainer.state import Epoch

SHOWN = 16


class Losses(Protocol):
    """An epoch of any training: its number, and losses in nats per character."""

    @property
    def number(self) -> int: ...

    @property
    def train_loss(self) -> float: ...

    @property
    def val_loss(self) -> float: ...


def plot_losses(history: Sequence[Losses], file: Path) -> None:
    """Training and validation loss against epochs."""
    figure, axes = curves("Loss", "nats per character")
    numbers = [epoch.number for epoch in history]
    axes.plot(numbers, [epoch.train_loss for epoch in history], "o-", label="training")
    axes.plot(numbers, [epoch.val_loss for epoch in history], "o-", label="validation")
    axes.legend()
    save(figure, file)


def plot_errors(history: Sequence[Epoch], file: Path) -> None:
    """Validation CER and WER, and on an axis of its own the mean edit distance."""
    figure, axes = curves("Errors on the validation set, greedy decoder", "rate")
    numbers = [epoch.number for epoch in history]
    axes.plot(numbers, [epoch.val_cer for epoch in history], "o-", label="CER")
    axes.plot(numbers, [epoch.val_wer for epoch in history], "o-", label="WER")
    axes.set_ylim(bottom=0)
    distance = axes.twinx()
    distance.plot(
        numbers,
        [epoch.val_edit_distance for epoch in history],
        "s--",
        color="tab:green",
        label="edit distance",
    )
    distance.set_ylabel("mean edit distance, characters")
    distance.set_ylim(bottom=0)
    figure.legend(loc="outside lower center", ncols=3)  # of both axes, beside no curve
    save(figure, file)


def picture_readings(judged: Sequence[Judged], file: Path) -> None:
    """Up to `SHOWN` images, each with its truth and, below, its reading; faults in red."""
    shown = list(judged[:SHOWN])
    figure = Figure(figsize=(11, max(1.0, 0.95 * len(shown))), layout="constrained")
    grid = figure.subplots(max(len(shown), 1), 2, squeeze=False, width_ratios=(3, 2))
    for (left, right), each in zip(grid, shown, strict=False):
        left.imshow(each.sample.image(), cmap="gray", vmin=0, vmax=255, aspect="equal")
        right.text(0, 0.68, each.sample.text, va="center", fontsize=9, parse_math=False)
        colour = "tab:green" if each.text == each.sample.text else "tab:red"
        reading = f"{each.text}   ({each.confidence:.0%})"
        right.text(0, 0.25, reading, va="center", fontsize=9, color=colour, parse_math=False)
    for axes in grid.flat:
        axes.set_axis_off()
    save(figure, file)


def table_of_worst(judged: Sequence[Judged]) -> str:
    """Worst readings as a TSV: edits, confidence, id, truth, reading."""
    rows = [
        f"{each.edits}\t{each.confidence:.3f}\t{each.sample.id}\t{each.sample.text}\t{each.text}"
        for each in judged
    ]
    return "\n".join(["edits\tconfidence\timage\ttruth\treading", *rows, ""])


def table_of_confusions(confusions: Counter[tuple[str, str]], most: int = 60) -> str:
    """Most frequent confusions as a TSV: count, true, read; nothing is written as `∅`."""
    rows = [
        f"{count}\t{true or '∅'}\t{read or '∅'}"
        for (true, read), count in confusions.most_common(most)
    ]
    return "\n".join(["count\ttrue\tread", *rows, ""])


def plot_confusions(confusions: Counter[tuple[str, str]], file: Path, most: int = 24) -> None:
    """The most frequent confusions as a matrix, true characters against read ones."""
    weight: Counter[str] = Counter()
    for (true, read), count in confusions.items():
        weight[true] += count
        weight[read] += count
    names = [name for name, _ in weight.most_common(most)] or [""]
    place = {name: index for index, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)))
    for (true, read), count in confusions.items():
        if true in place and read in place:
            matrix[place[true], place[read]] = count
    figure = Figure(figsize=(8, 7), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(matrix, cmap="magma_r")
    labels = [{"": "∅", " ": "␣"}.get(name, name) for name in names]
    axes.set_xticks(range(len(names)), labels, parse_math=False)
    axes.set_yticks(range(len(names)), labels, parse_math=False)
    axes.set_xlabel("read (∅: missed)")
    axes.set_ylabel("true (∅: added)")
    figure.colorbar(image, label="times")
    save(figure, file)


def curves(title: str, unit: str) -> tuple[Figure, Axes]:
    """An empty diagram of something against epochs."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure, axes


def save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
