"""Training on from an existing network, also when the alphabet grows."""

import logging
from pathlib import Path

from recognizer.alphabet import Alphabet
from recognizer.bundle import Bundle
from trainer.checkpoint import load_model
from trainer.network import Crnn, build
from trainer.recipe import Recipe
from trainer.sizes import BLANK, SIZES, SizeName

log = logging.getLogger(__name__)

KERAS_MODEL = "model.keras"
NOTHING = "random weights"
HEADS = ("logits", "shortcut")


def transfer(old: Crnn, known: Alphabet, recipe: Recipe, wanted: Alphabet) -> Crnn:
    """A network for another alphabet that starts with what `old` has learnt.

    Every layer is copied. In the two heads, each character keeps its weights; one that is
    new gets the mean of them, which is quiet wherever a character is seen. Random weights
    would not be: features are large, and the first steps would go to silencing it.

    Args:
        known: alphabet of `old`, blank at 0.
        recipe: whose size is that of `old`.
    """
    new = build(
        recipe.size,
        wanted.classes,
        seed=recipe.seed,
        precision=recipe.precision,
        dropout=recipe.dropout,
    )
    for source, target in zip(old.layers, new.layers, strict=True):
        if target.name not in HEADS:
            target.set_weights(source.get_weights())
    kept = [character for character in wanted.characters if known.covers(character)]
    here = [BLANK, *wanted.encode("".join(kept))]
    there = [BLANK, *known.encode("".join(kept))]
    for name in HEADS:
        kernel, bias = new.get_layer(name).get_weights()
        old_kernel, old_bias = old.get_layer(name).get_weights()
        written = [index for index in range(known.classes) if index != BLANK]
        kernel[:] = old_kernel[..., written].mean(axis=-1, keepdims=True)
        bias[:] = old_bias[written].mean()
        kernel[..., here] = old_kernel[..., there]
        bias[here] = old_bias[there]
        new.get_layer(name).set_weights([kernel, bias])
    return new


def fits(old: Crnn, size: SizeName) -> bool:
    """Whether a network is of this size, so that it can be trained on from."""
    return bool(old.name == f"crnn_{size}")


def size_of(bundle: Path) -> SizeName:
    """The size of the network in the folder of a bundle."""
    name: str = load_model(bundle / KERAS_MODEL).name
    return next(size for size in SIZES if name == f"crnn_{size}")


def start_from(base: Bundle | None, recipe: Recipe, alphabet: Alphabet) -> tuple[Crnn | None, str]:
    """The network of a bundle to train on from, and where it comes from in words.

    None where there is no bundle, or one of another size.
    """
    if base is None:
        return None, NOTHING
    old = load_model(base.path / KERAS_MODEL)
    if not fits(old, recipe.size):
        log.warning(
            "%s is of another size than %s: starting from scratch", base.path.name, recipe.size
        )
        return None, NOTHING
    network = transfer(old, base.alphabet, recipe, alphabet)
    name = base.path.name
    return network, "the starter" if name == "starter" else f"the bundle {name}"
