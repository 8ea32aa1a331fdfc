"""The network of the Keras tutorial "Handwriting recognition", as a peer to train.

A small CRNN as many first meet it: two convolutions, each halved by a max-pool, the rows of a
column laid side by side, one dense layer, two BiLSTMs (keras.io/examples/vision/
handwriting_recognition). It gets the input of this project's networks, so lines are as high
and as wide and time steps as many, and it is trained by the same loop; its own training,
without augmentation and in batches of 64, is `Trial.plain`.
"""

from typing import Any

import keras
from keras import layers

from trainer.ctc import ctc_loss
from trainer.network import Crnn, computing_in
from trainer.sizes import STRIDE, Precision

NAME = "tutorial"
CHANNELS = (32, 64)
DENSE = 64
UNITS = (128, 64)


@keras.saving.register_keras_serializable("handwriting")
class TutorialCrnn(Crnn):
    """A `Crnn` of one head, whose logits are both of its outputs."""

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """CTC loss in nats per character of the batch."""
        return ctc_loss(y_pred[0], y["labels"], y["lengths"])


def build(
    height: int, classes: int, *, seed: int = 0, precision: Precision = "float32"
) -> TutorialCrnn:
    """A new network with random weights.

    Args:
        height: rows of the input, in pixels.
        classes: characters of the alphabet and the blank.
        precision: as of `trainer.network.build`; the BiLSTMs stay in float32 here too.
    """
    keras.utils.set_random_seed(seed)
    with computing_in(precision):
        return _build(height, classes)


def _build(height: int, classes: int) -> TutorialCrnn:
    ink = keras.Input((height, None, 1), name="ink")
    x = ink
    for channels in CHANNELS:
        x = layers.Conv2D(
            channels, 3, padding="same", activation="relu", kernel_initializer="he_normal"
        )(x)
        x = layers.MaxPooling2D(2)(x)
    rows = height // STRIDE
    x = layers.Permute((2, 1, 3))(x)
    x = layers.Reshape((-1, rows * CHANNELS[-1]))(x)
    x = layers.Dense(DENSE, activation="relu")(x)
    x = layers.Dropout(0.2)(x)
    for units in UNITS:
        # what an LSTM's own dropout of its input does, in a form that exports cleanly
        x = layers.SpatialDropout1D(0.25)(x)
        lstm = layers.LSTM(units, return_sequences=True, dtype="float32")
        x = layers.Bidirectional(lstm)(x)
    logits = layers.Dense(classes, name="logits", dtype="float32")(x)
    # twice, since a training loop of two heads takes the first of several
    return TutorialCrnn(ink, [logits, logits], name=f"crnn_{NAME}")
