"""What a long load showed: figures, a page's text and a picture."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

READ, REFUSED = 200, 503

CLIENTS = 32
"""Half of those that may wait: who is refused asks again at once, and what it takes to refuse so
many is missing where images are read."""

SETTLED = 5.0
"""Seconds after a change of version in which what the one before took is given back."""


@dataclass(frozen=True)
class Reply:
    """A request: when it was due, seconds from the start, its status, seconds to its answer."""

    due: float
    status: int
    took: float


@dataclass
class Phase:
    """Requests at one rate, and meanwhile the memory of the API and its changes of version.

    `memory` has (seconds from the start, resident bytes); `swaps` the seconds at which a new
    version answered first; `recovered` those from the end of the load until answers were as fast
    as usual.
    """

    rate: float
    seconds: float
    replies: list[Reply] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    swaps: list[float] = field(default_factory=list)
    recovered: float | None = None

    def took(self, status: int) -> list[float]:
        return [each.took for each in self.replies if each.status == status]

    @property
    def failed(self) -> int:
        """Neither read nor refused."""
        return sum(each.status not in (READ, REFUSED) for each in self.replies)

    def by_second(self, share: float, status: int = READ) -> list[float | None]:
        """That quantile of the seconds taken, of the requests due in each second."""
        windows: list[list[float]] = [[] for _ in range(int(self.seconds) + 1)]
        for each in self.replies:
            if each.status == status:
                windows[min(int(each.due), len(windows) - 1)].append(each.took)
        return [quantile(window, share) for window in windows[:-1]]

    def slow_seconds(self, limit: float) -> int:
        """The longest row of seconds in which the p99 of what was read exceeded a limit."""
        longest = row = 0
        for high in self.by_second(0.99):
            row = row + 1 if high is not None and high > limit else 0
            longest = max(longest, row)
        return longest


def quantile(values: Sequence[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None


@dataclass(frozen=True)
class Endurance:
    """Everything `soak` measures. Seconds, bytes, images a second."""

    command: str
    machine: str
    date: str
    cold_start: float
    memory_at_start: int
    saturated: float
    alone: float
    overload: Phase
    swapping: Phase

    def page(self, picture: str) -> str:
        over, swaps = self.overload, self.swapping
        usual = quantile(over.took(READ), 0.99) or 0.0
        rows = [
            ("ready after a start with the version in the cache", f"{self.cold_start:.2f} s"),
            ("resident memory, ready", _mb(self.memory_at_start)),
            (f"images read a second, {CLIENTS} clients", f"{self.saturated:.0f}"),
            ("requests sent a second, twice as many", f"{over.rate:.0f}"),
            ("accepted and read", f"{len(over.took(READ)) / over.seconds:.0f} a second"),
            ("p99 of the accepted", _ms(usual)),
            ("median and p99 of the refused", _both(over.took(REFUSED))),
            ("neither read nor refused", str(over.failed)),
            ("memory in the first and last tenth", _from_to(over)),
            ("alone before", _ms(self.alone)),
            ("as fast again afterwards in",
             "not measured" if over.recovered is None else f"{over.recovered:.1f} s"),
            (f"then {len(swaps.swaps)} changes of version, the load going on: failed requests",
             str(swaps.failed)),
            ("p99 of the accepted meanwhile", _ms(quantile(swaps.took(READ), 0.99) or 0.0)),
            ("longest time with a p99 twice that without changes",
             f"{swaps.slow_seconds(2 * usual)} s"),
            ("memory before the first, at most meanwhile, and after the last", _around(swaps)),
        ]  # fmt: skip
        lines = "\n".join(f"| {name} | {value} |" for name, value in rows)
        return (
            f"`{self.command}`, {self.date}, {self.machine}; {over.seconds / 60:g} minutes of "
            "words and lines mixed, MLflow and the load on the same cores.\n\n"
            f"| | |\n| --- | --- |\n{lines}\n\n![Latency and memory over time]({picture})\n"
        )


def plot(found: Endurance, file: Path) -> None:
    """Latency by the second, memory below it, and where versions changed."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=[2, 1])
    start = 0.0
    for phase in (found.overload, found.swapping):
        seconds = [start + second for second in range(int(phase.seconds))]
        for share, status, label, colour in (
            (0.99, READ, "read: 99th percentile", "tab:blue"),
            (0.5, READ, "read: median", "tab:cyan"),
            (0.5, REFUSED, "refused: median", "tab:orange"),
        ):
            values = [
                np.nan if value is None else 1000 * value
                for value in phase.by_second(share, status)
            ]
            upper.plot(seconds, values, color=colour, label=label if not start else None)
        lower.plot(
            [start + second for second, _ in phase.memory],
            [size / 1e6 for _, size in phase.memory],
            color="tab:green",
        )
        for number, swap in enumerate(phase.swaps):
            upper.axvline(
                start + swap, color="gray", alpha=0.3, label=None if number else "another version"
            )
        start += phase.seconds
    upper.set_ylabel("milliseconds")
    upper.set_yscale("log")
    upper.legend(ncols=2)
    lower.set_ylabel("resident memory, MB")
    lower.set_ylim(bottom=0)
    lower.set_xlabel("seconds at twice the load that saturates")
    file.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": file.stem}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def _mb(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def _both(seconds: Sequence[float]) -> str:
    middle, high = quantile(seconds, 0.5), quantile(seconds, 0.99)
    return "none were" if middle is None or high is None else f"{_ms(middle)}, {_ms(high)}"


def _around(phase: Phase) -> str:
    """Before the changes of version, among them, and once the last one has settled."""
    first, last = min(phase.swaps, default=0.0), max(phase.swaps, default=0.0)
    before = [size for second, size in phase.memory if second < first]
    among = [size for second, size in phase.memory if first <= second < last + SETTLED]
    after = [size for second, size in phase.memory if second >= last + SETTLED]
    if not (before and among and after):
        return "not measured"
    middle = statistics.median
    return f"{_mb(middle(before))}, {_mb(max(among))}, {_mb(middle(after))}"


def _from_to(phase: Phase) -> str:
    sizes = [size for _, size in phase.memory]
    tenth = max(1, len(sizes) // 10)
    first, last = statistics.median(sizes[:tenth]), statistics.median(sizes[-tenth:])
    return f"{_mb(first)}, {_mb(last)}"
