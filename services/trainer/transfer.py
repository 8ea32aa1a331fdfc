"""Training on from an existing network, also when the alphabet grows."""

import numpy as np

from recognizer.alphabet import Alphabet
from trainer.network import Crnn, build
from trainer.sizes import BLANK, SizeName

HEADS = ("logits", "shortcut")


def transfer(old: Crnn, known: Alphabet, size: SizeName, wanted: Alphabet, seed: int) -> Crnn:
    """A network for another alphabet that starts with what `old` has learnt.

    Every layer is copied. In the two heads, each character keeps its weights; one that is
    new gets the random ones of a new network and a bias that keeps it quiet at first.

    Args:
        known: alphabet of `old`, blank at 0.
    """
    new = build(size, wanted.classes, seed=seed)
    for source, target in zip(old.layers, new.layers, strict=True):
        if target.name not in HEADS:
            target.set_weights(source.get_weights())
    kept = [character for character in wanted.characters if known.covers(character)]
    here = [BLANK, *wanted.encode("".join(kept))]
    there = [BLANK, *known.encode("".join(kept))]
    for name in HEADS:
        kernel, bias = new.get_layer(name).get_weights()
        old_kernel, old_bias = old.get_layer(name).get_weights()
        bias[:] = np.min(old_bias)
        kernel[..., here] = old_kernel[..., there]
        bias[here] = old_bias[there]
        new.get_layer(name).set_weights([kernel, bias])
    return new


def fits(old: Crnn, size: SizeName) -> bool:
    """Whether a network is of this size, so that it can be trained on from."""
    return bool(old.name == f"crnn_{size}")
