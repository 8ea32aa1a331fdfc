"""Measure what a language model, a lexicon and calibration give a bundle, on held-out lines.

The bundle is fitted anew: language model and lexicon from the training texts of the sets given
(less those named by --without) and word frequencies, weights and calibration from validation
lines of the same sets. Then every decoder reads the split of every set. Prints Markdown.

The sets named by --without tell the gain on text that nothing was made from.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "services"))

from recognizer.bundle import Bundle  # noqa: E402  # after the path it is found by
from recognizer.reading import Reading  # noqa: E402
from recognizer.recognizer import Recognizer  # noqa: E402
from trainer.bootstrap import STARTER_BUNDLE  # noqa: E402
from trainer.corpus import Corpus  # noqa: E402
from trainer.datasets.base import Dataset, Sample, Split  # noqa: E402
from trainer.datasets.catalogue import open_dataset  # noqa: E402
from trainer.decoding import calibration  # noqa: E402
from trainer.decoding.calibration import Characters, RiskCoverage, calibration_error  # noqa: E402
from trainer.decoding.fitting import enriched, fit, readings, see  # noqa: E402
from trainer.decoding.linguistics import texts_of  # noqa: E402
from trainer.metrics import score  # noqa: E402
from trainer.settings import load  # noqa: E402

Pairs = list[tuple[str, Reading]]


def fitted(bundle: Bundle, datasets: Sequence[Dataset], path: Path) -> Bundle:
    """The bundle with a language model, lexicon and calibration of these sets."""
    corpus = Corpus.of(datasets, base=bundle.alphabet)
    known = [sample for sample in corpus.handwriting("val") if bundle.alphabet.covers(sample.text)]
    return enriched(bundle, fit(bundle, known, texts_of(datasets)), path)


def measure(recognizer: Recognizer, name: str, samples: Sequence[Sample]) -> dict[str, Pairs]:
    """Read with every decoder and print a row for each."""
    seen = see(recognizer, samples)
    found: dict[str, Pairs] = {}
    for decoder in recognizer.decoders:
        started = time.process_time()
        found[decoder] = readings(recognizer, seen, decoder)
        spent = 1000 * (time.process_time() - started) / max(len(seen), 1)
        scores = score((truth, reading.text) for truth, reading in found[decoder])
        print(
            f"| {name} | {scores.samples} | {decoder} | {scores.cer:.2%} | {scores.wer:.2%} "
            f"| {scores.exact:.1%} | {spent:.1f} |",
            flush=True,
        )
    return found


def summary(pooled: dict[str, Pairs], folder: Path | None) -> None:
    """Calibration and risk over all sets, and their diagrams."""
    print("\n| decoder | ECE, equal width | ECE, equal mass | to check for CER of 1 % |")
    print("| --- | --- | --- | --- |")
    curves = []
    for decoder, pairs in pooled.items():
        characters = Characters.of(pairs)
        curve = RiskCoverage.of((read.confidence, truth, read.text) for truth, read in pairs)
        curves.append((decoder, curve))
        width, mass = (calibration_error(characters, by=by) for by in ("width", "mass"))
        print(f"| {decoder} | {width:.3f} | {mass:.3f} | {curve.to_check():.1%} |")
        if folder:
            calibration.plot_reliability(
                characters, folder / f"reliability-{decoder}.png", title=f"{decoder}, all sets"
            )
    if folder:
        calibration.plot_risk(curves, folder / "risk.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=STARTER_BUNDLE, help="default: the starter")
    parser.add_argument("-d", "--dataset", action="append", required=True, help="repeat it")
    parser.add_argument(
        "--without", action="append", default=[], help="a set nothing is made or chosen from"
    )
    parser.add_argument("--split", choices=["val", "test"], default="val")
    parser.add_argument("--limit", type=int, help="at most this many samples of a set")
    parser.add_argument("--as-is", action="store_true", help="measure the bundle without fitting")
    parser.add_argument("--output", type=Path, help="keep the fitted bundle in this new folder")
    parser.add_argument("--plots", type=Path, help="write the diagrams into this folder")
    options = parser.parse_args()
    data_dir = load().data_dir
    datasets = [open_dataset(name, data_dir) for name in options.dataset]
    without = [open_dataset(name, data_dir) for name in options.without]
    split: Split = options.split
    with TemporaryDirectory() as folder:
        bundle = Bundle.load(options.bundle)
        if not options.as_is:
            bundle = fitted(bundle, datasets, options.output or Path(folder) / "bundle")
        said = bundle.manifest.model_dump(include={"temperature", "language", "lexicon"})
        print(f"{said | {'calibration': bundle.manifest.calibration}}\n")
        print("| set | samples | decoder | CER | WER | exact | ms a line |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        recognizer = Recognizer(bundle, threads=1)
        pooled: dict[str, Pairs] = {}
        for dataset in [*datasets, *without]:
            samples = [s for s in dataset.samples(split) if bundle.alphabet.covers(s.text)]
            if samples[: options.limit]:
                for decoder, pairs in measure(
                    recognizer, dataset.name, samples[: options.limit]
                ).items():
                    pooled.setdefault(decoder, []).extend(pairs)
        summary(pooled, options.plots)


if __name__ == "__main__":
    main()
