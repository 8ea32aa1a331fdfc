"""The medians as Markdown."""

from collections.abc import Callable

from tools.bench_serving.load import Answers
from tools.bench_serving.record import LIMIT, Case, Record

NOTHING = "-"


def page_of(record: Record, picture: str | None = None) -> str:
    """The table with the command that made it, and the plot where there is one."""
    rounds = max((len(each) for each in record.rounds.values()), default=0)
    parts = [
        f"`{record.command}`, {record.date}, {record.machine}; medians of {rounds} rounds of "
        f"{record.seconds:g} s, one server after another in each, every other round from the last "
        f"to the first; load from {record.generator}.",
        table(record),
    ]
    parts += [f"{name} is left out: {why}." for name, why in record.left_out.items()]
    if picture:
        parts.append(f"![Latency against load]({picture})")
    return "\n\n".join(parts)


def table(record: Record) -> str:
    """A row a server; with one client the latency counts, with many the throughput."""
    head, rows = ["server"], [[server] for server in record.servers]
    for case in record.cases:
        if case.clients == 1:
            head += [f"{case.name}: median ms", "p99 ms", "times the limit"]
            for row in rows:
                row += _lone(record, row[0], case)
        else:
            head += [f"{case.name}: images/s", "of the limit", "median ms", "p99 ms", "refused"]
            for row in rows:
                row += _busy(record, row[0], case)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _lone(record: Record, server: str, case: Case) -> list[str]:
    return [
        _number(record.median(server, case, lambda each: each.median), 1000),
        _number(record.median(server, case, lambda each: each.p99), 1000),
        ratio(record, server, case, lambda each: each.median),
    ]


def _busy(record: Record, server: str, case: Case) -> list[str]:
    refused = record.median(server, case, lambda each: each.refused)
    return [
        _number(record.median(server, case, lambda each: each.rate)),
        ratio(record, server, case, lambda each: each.rate),
        _number(record.median(server, case, lambda each: each.median), 1000),
        _number(record.median(server, case, lambda each: each.p99), 1000),
        NOTHING if server == LIMIT or refused is None else f"{refused:.0f}",
    ]


def ratio(record: Record, server: str, case: Case, of: Callable[[Answers], float | None]) -> str:
    """To the limit in the same run: medians of the rounds, one divided by the other."""
    own, limit = record.median(server, case, of), record.median(LIMIT, case, of)
    return f"{own / limit:.2f}" if own and limit else NOTHING


def _number(value: float | None, factor: float = 1.0) -> str:
    return NOTHING if value is None else f"{value * factor:.1f}"
