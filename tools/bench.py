"""Measure a bundle: how well it reads each set at hand, and where the time of an image goes.

Prints Markdown, ready for the documentation. Quality is CER and WER of the test splits with
the greedy decoder. Speed is the median of rounds over the same images, one at a time on one
thread; the share of each stage says more than the milliseconds, which are this machine's.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "services"))

from recognizer import decode  # noqa: E402  # after the path it is found by
from recognizer.bundle import Bundle  # noqa: E402
from recognizer.prepare import prepare  # noqa: E402
from recognizer.recognizer import Recognizer  # noqa: E402
from trainer.bootstrap import STARTER_BUNDLE  # noqa: E402
from trainer.datasets.base import Dataset, Sample  # noqa: E402
from trainer.datasets.catalogue import at_hand, open_dataset  # noqa: E402
from trainer.evaluation import evaluate  # noqa: E402
from trainer.settings import load  # noqa: E402

STAGES = ("prepare", "network", "decode")


def quality(bundle: Bundle, datasets: Sequence[Dataset], limit: int | None) -> None:
    print("| test set | samples | CER | WER | exact |\n| --- | --- | --- | --- | --- |")
    recognizer = Recognizer(bundle)
    for dataset in datasets:
        samples = dataset.samples("test")[:limit]
        if samples:
            scores = evaluate(recognizer, samples).scores
            print(
                f"| {dataset.name} | {scores.samples} | {scores.cer:.1%} | {scores.wer:.1%} "
                f"| {scores.exact:.1%} |",
                flush=True,
            )


def speed(bundle: Bundle, samples: Sequence[Sample], rounds: int) -> None:
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
    medians = {stage: statistics.median(times) for stage, times in totals.items()}
    whole = sum(medians.values())
    print("\n| stage | ms an image | share |\n| --- | --- | --- |")
    for stage, seconds in medians.items():
        print(f"| {stage} | {1000 * seconds:.2f} | {seconds / whole:.0%} |")
    print(f"| all | {1000 * whole:.2f} | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=STARTER_BUNDLE, help="default: the starter")
    parser.add_argument(
        "-d", "--dataset", action="append", default=[], help="besides synthetic and those at hand"
    )
    parser.add_argument("--limit", type=int, help="at most this many samples of a set")
    parser.add_argument("--rounds", type=int, default=5, help="of the speed measurement")
    options = parser.parse_args()
    data_dir = load().data_dir
    synthetic = open_dataset("synthetic", data_dir)
    given = [open_dataset(name, data_dir) for name in options.dataset]
    bundle = Bundle.load(options.bundle)
    quality(bundle, [synthetic, *at_hand(data_dir), *given], options.limit)
    speed(bundle, synthetic.samples("test")[:50], options.rounds)


if __name__ == "__main__":
    main()
