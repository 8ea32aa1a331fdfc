"""The classifier's network: some convolutions and one matrix. Knows Keras alone."""

from typing import Any

import keras
from keras import layers

from trainer.datasets.emnist_files import SIDE
from trainer.normalization import Normalization

STEM = 16
STAGES = ((32, 48), (96, 96))
"""Channels of the convolutions of a stage; the first of each halves the map."""


def build(classes: int, *, dropout: float, seed: int) -> keras.Model:
    """A new network with random weights: ink (images, 28, 28, 1), 0 to 1, to probabilities.

    Args:
        dropout: share of the features left out at random while training.
    """
    keras.utils.set_random_seed(seed)
    ink = keras.Input((SIDE, SIDE, 1), name="ink")
    x = _conv(ink, STEM)
    for stage in STAGES:
        for number, channels in enumerate(stage):
            x = _conv(x, channels, stride=1 if number else 2)
    x = layers.Flatten()(layers.MaxPooling2D(2)(x))
    x = layers.Dropout(dropout)(x)
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities")(x)
    return keras.Model(ink, probabilities, name="characters")


def _conv(x: Any, channels: int, *, stride: int = 1) -> Any:
    x = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False)(x)
    return layers.ReLU()(Normalization(momentum=0.98)(x))
