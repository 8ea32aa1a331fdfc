"""Measure where the time of an image goes: preparing it, the network, decoding.

Prints Markdown, ready for the documentation. It is the median of rounds over the same images,
one at a time on one thread; the share of each stage says more than the milliseconds, which are
this machine's. How well a version reads is measured by `make bench-reading`.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from recognizer import decode
from recognizer.bundle import Bundle
from recognizer.errors import RecognizerError
from recognizer.prepare import prepare
from recognizer.recognizer import Recognizer
from trainer.bootstrap import STARTER_BUNDLE
from trainer.datasets.base import DatasetError, Sample
from trainer.datasets.catalogue import open_dataset
from trainer.settings import load

STAGES = ("prepare", "network", "decode")


def speed(bundle: Bundle, samples: Sequence[Sample], rounds: int) -> dict[str, float]:
    """Seconds an image for each stage."""
    recognizer = Recognizer(bundle, threads=1)
    images = [sample.image() for sample in samples]
    spec, blank = bundle.manifest.input, bundle.alphabet.blank
    totals: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for number in range(rounds + 1):
        spent = dict.fromkeys(STAGES, 0.0)
        for gray in images:
            marks = [time.perf_counter()]
            ready = prepare(gray, spec)
            marks.append(time.perf_counter())
            log_probs = recognizer.infer([ready])[0]
            marks.append(time.perf_counter())
            decode.greedy(decode.soften(log_probs, bundle.manifest.temperature), blank)
            marks.append(time.perf_counter())
            for stage, (start, end) in zip(STAGES, pairwise(marks), strict=True):
                spent[stage] += end - start
        if number:  # the first round warms up
            for stage in STAGES:
                totals[stage].append(spent[stage] / len(images))
    return {stage: statistics.median(times) for stage, times in totals.items()}


def table(medians: dict[str, float]) -> str:
    whole = sum(medians.values())
    rows = [
        f"| {stage} | {1000 * seconds:.2f} | {seconds / whole:.0%} |"
        for stage, seconds in medians.items()
    ]
    head = ["| stage | ms an image | share |", "| --- | --- | --- |"]
    return "\n".join([*head, *rows, f"| all | {1000 * whole:.2f} | |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=STARTER_BUNDLE, help="default: the starter")
    parser.add_argument("-d", "--dataset", default="synthetic", help="default: synthetic")
    parser.add_argument("--limit", type=int, default=50, help="at most this many test samples")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    dataset = open_dataset(options.dataset, load().data_dir)
    samples = dataset.samples("test")[: options.limit]
    print(table(speed(Bundle.load(options.bundle), samples, options.rounds)))


if __name__ == "__main__":
    try:
        main()
    except (DatasetError, RecognizerError) as error:
        sys.exit(f"Error: {error}")
