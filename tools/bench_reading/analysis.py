"""The errors of one reader as Markdown and as pictures."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from tools.bench_reading import errors, plots
from tools.bench_reading.errors import Confusions
from tools.bench_reading.problem import Problem
from tools.bench_reading.record import Record, Run
from tools.bench_reading.sets import MADE
from tools.bench_reading.table import percent, span, table

SPACE = "␣"


def analyse(run: Run, folder: Path, page: Path) -> str:
    """Draw the errors of the first reader of a run with its first decoder, on real sets.

    Args:
        folder: where the pictures go.
        page: the page that shows them, for their addresses.

    Raises:
        Problem: nothing was read.
    """
    records = chosen(run)
    lines = errors.pooled(records)
    pairs = [(line.truth, line.text) for line in lines]
    whole, lengths = errors.by_source(records)[-1], errors.by_length(lines)
    kinds, worst = errors.by_class(pairs), errors.worst_confusions(pairs)
    pictures = {name: folder / f"{name}.svg" for name in ("sources", "lengths", "classes")}
    plots.plot_sources(run.records, pictures["sources"])
    plots.plot_lengths(lengths, pictures["lengths"])
    plots.plot_classes(kinds, pictures["classes"])
    first = records[0]
    places = {name: file.relative_to(page.parent).as_posix() for name, file in pictures.items()}
    parts = [
        f"Of {first.reader}, decoder {first.decoder}, on {', '.join(_names(records))}: "
        f"{whole.scores.samples} samples, all as one CER {percent(whole.scores.cer)} "
        f"({span(whole.interval)}), WER {percent(whole.scores.wer)}.",
        f"![CER of every reader by set]({places['sources']})",
        f"![CER by length of line]({places['lengths']})",
        table(
            ("characters in the line", "n", "CER", "95 % interval"),
            (
                (each.name, str(each.scores.samples), percent(each.scores.cer), span(each.interval))
                for each in lengths
            ),
        ),
        f"![Errors by kind of character]({places['classes']})",
        table(
            ("characters", "n", "replaced", "missed", "lost in all", "added"),
            (
                (
                    kind.name,
                    str(kind.characters),
                    percent(kind.replaced / max(kind.characters, 1)),
                    percent(kind.missed / max(kind.characters, 1)),
                    percent(kind.rate),
                    str(kind.added),
                )
                for kind in kinds
            ),
        ),
        f"The most frequent of {worst.edits} edits; {SPACE} is a space.",
        table(("true, read as", "times", "missed", "times", "added", "times"), _columns(worst)),
    ]
    return "\n\n".join(parts)


def chosen(run: Run) -> list[Record]:
    """Records of the reader to explain: real sets only, where it read any."""
    if not run.records:
        raise Problem("Nothing was read, so there are no errors to show.")
    first = run.records[0]
    mine = [
        record
        for record in run.records
        if (record.reader, record.decoder) == (first.reader, first.decoder)
    ]
    return [record for record in mine if record.set not in MADE] or mine


def _columns(worst: Confusions) -> list[list[str]]:
    """Rows of three lists side by side, the shorter ones filled up with nothing."""
    replaced = [
        (f"{shown(true)} {shown(read)}", str(times)) for true, read, times in worst.replaced
    ]
    missed = [(shown(true), str(times)) for true, times in worst.missed]
    added = [(shown(read), str(times)) for read, times in worst.added]
    rows = zip_longest(replaced, missed, added, fillvalue=("", ""))
    return [[cell for pair in row for cell in pair] for row in rows]


def shown(character: str) -> str:
    return SPACE if character == " " else f"`{character}`"


def _names(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(record.set for record in records))
