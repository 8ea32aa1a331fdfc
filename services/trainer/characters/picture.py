"""What a classifier confuses, for people who would look: a matrix and the pairs by name."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from trainer.characters.scores import Confusion, Judged
from trainer.characters.training import CharacterEpoch
from trainer.report import curves, save

NAMED = 30
"""Pairs that stand beside the matrix."""
WORTH_A_FIGURE = 0.05
"""Share of a character's images from which a cell of the matrix has its percentage."""


def plot_accuracy(history: Sequence[CharacterEpoch], file: Path) -> None:
    """Validation accuracy against epochs."""
    figure, axes = curves("Accuracy on the validation set", "share told right")
    numbers = [epoch.number for epoch in history]
    axes.plot(numbers, [epoch.val_accuracy for epoch in history], "o-")
    save(figure, file)


def picture_confusions(judged: Judged, file: Path) -> None:
    """The matrix of all classes, each row in percent of the images of a character, and beside it
    the most frequent confusions."""
    figure = Figure(figsize=(18, 14), dpi=90, layout="constrained")
    matrix, table = figure.subplots(1, 2, width_ratios=(13, 3))
    _draw(judged, matrix)
    figure.suptitle(f"{len(judged.truths)} characters, {judged.accuracy:.1%} told right")
    table.set_axis_off()
    table.set_title("Most frequent confusions")
    rows = [
        [each.true, each.read, str(each.count), f"{each.share:.0%}"]
        for each in judged.confusions()[:NAMED]
    ]
    if rows:
        titles = ["true", "read", "times", "of its\nimages"]
        drawn = table.table(rows, colLabels=titles, cellLoc="center", loc="upper center")
        drawn.auto_set_font_size(False)
        drawn.set_fontsize(11)
        drawn.scale(1, 1.9)
    save(figure, file)


def table_of_confusions(confusions: Sequence[Confusion]) -> str:
    """As a TSV: count, share of the images of the true character, true, read."""
    rows = [f"{each.count}\t{each.share:.3f}\t{each.true}\t{each.read}" for each in confusions]
    return "\n".join(["count\tshare\ttrue\tread", *rows, ""])


def _draw(judged: Judged, axes: Axes) -> None:
    counts = judged.matrix()
    shares = counts / counts.sum(axis=1, keepdims=True).clip(1)
    # the root shows what is rare beside the diagonal
    axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    places = range(len(judged.classes))
    axes.set_xticks(places, list(judged.classes), fontsize=9)
    axes.set_yticks(places, list(judged.classes), fontsize=9)
    axes.tick_params(top=True, right=True, labeltop=True, labelright=True, length=0)
    axes.set_xlabel("read")
    axes.set_ylabel("true")
    axes.set_xticks([place + 0.5 for place in places], minor=True)
    axes.set_yticks([place + 0.5 for place in places], minor=True)
    axes.grid(which="minor", color="0.88", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    for row in places:
        for column in places:
            share = shares[row, column]
            if share >= WORTH_A_FIGURE:
                colour = "white" if share > 0.4 else "black"
                figure = f"{100 * share:.0f}"
                axes.text(column, row, figure, ha="center", va="center", size=6.5, color=colour)
