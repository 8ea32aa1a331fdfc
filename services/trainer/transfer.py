"""Training on from an existing network, also when the alphabet or the network grows."""

import logging
from dataclasses import replace
from pathlib import Path

from keras import layers

from recognizer.alphabet import Alphabet
from recognizer.bundle import Bundle
from trainer.checkpoint import load_model
from trainer.network import LAST, Crnn, build, shaped, stages_of
from trainer.recipe import Recipe
from trainer.sizes import BLANK, DEFINITIONS, SIZES, SizeName

log = logging.getLogger(__name__)

KERAS_MODEL = "model.keras"
NOTHING = "random weights"
HEADS = ("logits", "shortcut")


def transfer(old: Crnn, known: Alphabet, recipe: Recipe, wanted: Alphabet) -> Crnn:
    """A network for another alphabet that starts with what `old` has learnt.

    Every layer is copied. Residual blocks that `old` lacks at the end of a stage begin as what
    they are added to, unchanged (a last scale of zero: Goyal et al. 2017, arXiv:1706.02677,
    section 5.1), so that the network reads as before. In the two heads, each character keeps
    its weights; one that is new gets the mean of them, which is quiet wherever a character is
    seen. Random weights would not be: features are large, and the first steps would go to
    silencing it.

    Args:
        known: alphabet of `old`, blank at 0.
        recipe: whose size `old` fits.
    """
    new = build(
        recipe.size,
        wanted.classes,
        seed=recipe.seed,
        precision=recipe.precision,
        dropout=recipe.dropout,
    )
    learnt = _by_name(old, recipe.size, known)
    for layer in new.layers:
        if layer.name in HEADS:
            continue
        if layer.name in learnt:
            layer.set_weights(learnt[layer.name].get_weights())
        elif layer.name.endswith(LAST):
            layer.gamma.assign(layer.gamma * 0)
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


def _by_name(old: Crnn, size: SizeName, known: Alphabet) -> dict[str, layers.Layer]:
    """The layers of a network by the names they have now: files of before named few of them."""
    shape = replace(DEFINITIONS[size], stages=stages_of(old))
    named = shaped(shape, known.classes, old.name).layers
    return {now.name: layer for now, layer in zip(named, old.layers, strict=True)}


def fits(old: Crnn, size: SizeName) -> bool:
    """Whether a network is of this size or one that grows into it, to be trained on from."""
    stages, wanted = stages_of(old), DEFINITIONS[size].stages
    return (
        old.name == f"crnn_{size}"
        and len(stages) == len(wanted)
        and all(
            channels == same and blocks <= most
            for (channels, blocks), (same, most) in zip(stages, wanted, strict=True)
        )
    )


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
