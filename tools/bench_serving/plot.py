"""Latency against load, a line for each server."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from tools.bench_serving.record import LIMIT, Record


def plot(record: Record, file: Path) -> None:
    """Median and 99th percentile over throughput; along a line the number of clients grows."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    cases = sorted(
        (case for case in record.cases if case.kind == "mixed"), key=lambda case: case.clients
    )
    for server in (each for each in record.servers if each != LIMIT):
        points = [
            (
                record.median(server, case, lambda each: each.rate),
                record.median(server, case, lambda each: each.median),
                record.median(server, case, lambda each: each.p99),
            )
            for case in cases
        ]
        known = [
            (rate, 1000 * mid, 1000 * high) for rate, mid, high in points if rate and mid and high
        ]
        rates = [rate for rate, _, _ in known]
        (line,) = axes.plot(rates, [mid for _, mid, _ in known], marker="o", label=server)
        axes.plot(
            rates, [high for _, _, high in known], marker=".", linestyle=":", color=line.get_color()
        )
    fastest = [record.median(LIMIT, case, lambda each: each.rate) for case in cases]
    if any(fastest):
        most = max(rate for rate in fastest if rate)
        axes.axvline(most, color="gray", linestyle="--", label="the limit, without HTTP")
    axes.set_xlabel("images a second, words and lines mixed")
    axes.set_ylabel("milliseconds: median, dotted the 99th percentile")
    axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    # no date and no random names: the picture changes when its figures do
    with matplotlib.rc_context({"svg.hashsalt": file.stem}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
