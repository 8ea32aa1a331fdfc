"""Bring a training's best network back towards the bundle that it began with.

`python -m tools.blend RUN BUNDLE --share 0.6 -d hooker ...` puts into RUN, in place of its best
network, one whose weights lie in between (Wortsman et al. 2022, "Robust fine-tuning of zero-shot
models", section 3): SHARE of the way from the bundle's to its own. Means and variances of the
normalisations, which fit no blend, are then taken anew from training lines as they are.
"""

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "services"))

import keras  # noqa: E402  # after the path the others are found by
import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from recognizer.alphabet import Alphabet  # noqa: E402
from recognizer.bundle import Bundle  # noqa: E402
from recognizer.manifest import Input  # noqa: E402
from recognizer.prepare import prepare  # noqa: E402
from trainer.checkpoint import Checkpoint, load_model  # noqa: E402
from trainer.datasets.base import Sample  # noqa: E402
from trainer.datasets.catalogue import open_dataset  # noqa: E402
from trainer.network import Crnn  # noqa: E402
from trainer.normalization import Normalization  # noqa: E402
from trainer.recipe import Recipe  # noqa: E402
from trainer.settings import load  # noqa: E402
from trainer.transfer import KERAS_MODEL, size_of, transfer  # noqa: E402

BATCH = 32


def blended(new: Crnn, bundle: Bundle, alphabet: Alphabet, share: float) -> Crnn:
    """`new` with weights in between."""
    recipe = Recipe(size=size_of(bundle.path))
    old = transfer(load_model(bundle.path / KERAS_MODEL), bundle.alphabet, recipe, alphabet)
    between = [
        before + share * (after - before)
        for before, after in zip(old.get_weights(), new.get_weights(), strict=True)
    ]
    new.set_weights(between)
    return new


def batches(
    samples: Sequence[Sample], spec: Input, rng: random.Random
) -> Iterator[NDArray[np.float32]]:
    """Ink of images of one width each; what does not fill half a batch is left out."""
    by_width: defaultdict[int, list[NDArray[np.float32]]] = defaultdict(list)
    for sample in samples:
        ink = prepare(sample.image(), spec).ink
        by_width[ink.shape[1]].append(ink)
    parts = [
        inks[first : first + BATCH]
        for inks in by_width.values()
        for first in range(0, len(inks), BATCH)
    ]
    rng.shuffle(parts)
    for part in parts:
        if len(part) >= BATCH // 2:
            yield np.stack(part)[..., np.newaxis].astype(np.float32)


def renormalise(network: Crnn, inks: Iterable[NDArray[np.float32]]) -> int:
    """Take means and variances of the normalisations over batches; returns how many there were.

    Whatever they were before is forgotten: each batch counts as much as any other.
    """
    # all of them stand before the columns; what comes after takes most of the time
    columns = keras.Model(network.input, network.get_layer("columns").output)
    layers = [layer for layer in columns.layers if isinstance(layer, Normalization)]
    usual = [layer.momentum for layer in layers]
    number = 0
    for number, ink in enumerate(inks, start=1):
        for layer in layers:
            layer.momentum = 1 - 1 / number
        columns(ink, training=True)
    for layer, momentum in zip(layers, usual, strict=True):
        layer.momentum = momentum
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the checkpoint")
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    parser.add_argument("--share", type=float, required=True, help="of the run's weights, 0 to 1")
    parser.add_argument("-d", "--dataset", action="append", required=True, help="repeat it")
    parser.add_argument("--lines", type=int, default=250, help="of each set, at most")
    options = parser.parse_args()
    checkpoint, bundle = Checkpoint(options.run), Bundle.load(options.bundle)
    alphabet = Alphabet(checkpoint.state().alphabet)
    network = blended(checkpoint.best(), bundle, alphabet, options.share)
    rng = random.Random(0)
    samples: list[Sample] = []
    for name in options.dataset:
        own = list(open_dataset(name, load().data_dir).samples("train"))
        samples += rng.sample(own, min(options.lines, len(own)))
    spec = Recipe(size=size_of(bundle.path)).input()  # which need not be the bundle's own
    number = renormalise(network, batches(samples, spec, rng))
    checkpoint.save_best(network)
    print(f"{options.run} holds a blend; its normalisations have seen {number} batches.")


if __name__ == "__main__":
    main()
