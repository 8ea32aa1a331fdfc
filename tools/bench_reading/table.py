"""A run as Markdown."""

from collections.abc import Iterable, Sequence

from tools.bench_reading.record import Record, Run
from trainer.metrics import Interval

HEAD = (
    "set",
    "level",
    "n",
    "reader",
    "decoder",
    "CER",
    "95 % interval",
    "drawn from",
    "WER",
    "exact",
    "lines/s",
)


def page_of(run: Run) -> str:
    """The table of a run, its command, the readers, and who was left out and why."""
    split = f"`{run.split}` splits" + (f", the first {run.limit} samples" if run.limit else "")
    parts = [
        f"Made {run.date} on the {split}, {run.machine}, by",
        f"```sh\n{run.command}\n```",
        _readers(run),
        table(HEAD, map(_row, by_set(run.records))),
    ]
    unreadable = sum(record.unreadable for record in run.records)
    if unreadable:
        parts.append(f"Images that could not be opened, counted for each reader: {unreadable}.")
    if run.left_out:
        parts.append(
            "Left out:\n\n"
            + "\n".join(
                f"- {each.reader}{f', {each.set}' if each.set else ''}: {each.reason}"
                for each in run.left_out
            )
        )
    return "\n\n".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a pipe within a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines
    )


def by_set(records: Sequence[Record]) -> list[Record]:
    """Readers of one set next to each other, sets and readers in the order they were read."""
    sets = list(dict.fromkeys((record.set, record.level) for record in records))
    return sorted(records, key=lambda record: sets.index((record.set, record.level)))


def percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"


def span(interval: Interval) -> str:
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f} %"


def _row(record: Record) -> Sequence[str]:
    scores, interval = record.scores, record.interval
    speed = record.lines_per_second
    return (
        record.set,
        record.level,
        str(scores.samples),
        record.reader,
        record.decoder,
        percent(scores.cer),
        span(interval),
        f"{interval.units} {interval.over}",
        percent(scores.wer),
        percent(scores.exact),
        f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}",
    )


def _readers(run: Run) -> str:
    return "\n".join(f"- {name}: {what}" for name, what in run.readers.items())
