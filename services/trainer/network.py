"""The network: a residual convolutional stem, a column max-pool, BiLSTMs and a CTC head.

Knows Keras alone, so that it runs on any Keras backend. The shape follows what the field
found to work: a CRNN (Shi et al. 2015, arXiv:1507.05717) whose feature map is max-pooled
over columns instead of flattened, with a second, shallow CTC head that only exists while
training and keeps gradients short (Retsinas et al. 2022, "Best Practices for a Handwritten
Text Recognition System", sections 3.1 and 3.3).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import layers

from trainer.convolution import Convolution
from trainer.ctc import ctc_loss
from trainer.normalization import Normalization
from trainer.recurrence import Lstm
from trainer.sizes import DEFINITIONS, Precision, SizeName

SHORTCUT_WEIGHT = 0.1


@keras.saving.register_keras_serializable("handwriting")
class Crnn(keras.Model):  # type: ignore[misc]  # keras ships no types
    """Ink (images, height, width, 1) to logits (images, steps, classes).

    In training the output is a pair: the logits of the BiLSTM head and of the shortcut.
    Targets are `{"labels": (images, longest), "lengths": (images,)}`, both int32.
    """

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """CTC loss in nats per character of the batch, the shortcut's share added."""
        main, shortcut = y_pred
        loss = ctc_loss(main, y["labels"], y["lengths"])
        return loss + SHORTCUT_WEIGHT * ctc_loss(shortcut, y["labels"], y["lengths"])


def build(
    size: SizeName,
    classes: int,
    *,
    seed: int = 0,
    precision: Precision = "float32",
    dropout: float | None = None,
) -> Crnn:
    """A new network with random weights.

    Args:
        classes: characters of the alphabet and the blank.
        precision: of what it computes; weights, heads and loss are float32 in any case.
        dropout: share of the features left out at random while training; None: as the size has it.
    """
    keras.utils.set_random_seed(seed)
    with computing_in(precision):
        return _build(size, classes, dropout)


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Layers made herein compute so, unless they say otherwise."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _build(size: SizeName, classes: int, dropout: float | None) -> Crnn:
    shape = DEFINITIONS[size]
    dropout = shape.dropout if dropout is None else dropout
    ink = keras.Input((shape.height, None, 1), name="ink")
    x = ink
    for channels in shape.stem:
        # two halvings of the width make the time step of four columns
        halved = layers.Conv2D(channels, 3, (2, 2), padding="same", use_bias=False)(x)
        x = layers.ReLU()(Normalization(momentum=0.98)(halved))
    for number, (channels, blocks) in enumerate(shape.stages):
        for _ in range(blocks):
            x = _residual(x, channels)
        if number + 1 < len(shape.stages):
            x = layers.MaxPooling2D((2, 1))(x)
    rows, channels = x.shape[1], x.shape[3]
    x = layers.MaxPooling2D((rows, 1), name="columns")(x)
    x = layers.Reshape((-1, channels))(x)
    features = layers.Dropout(dropout)(x)
    shortcut = layers.Conv1D(classes, 3, padding="same", name="shortcut", dtype="float32")(features)
    x = features
    for _ in range(shape.depth):
        # bfloat16 gains nothing in steps this small, and was half as fast on a CPU
        lstm = Lstm(shape.units, return_sequences=True, dtype="float32")
        x = layers.Bidirectional(lstm)(x)
        x = layers.Dropout(dropout)(x)
    logits = layers.Dense(classes, name="logits", dtype="float32")(x)
    return Crnn(ink, [logits, shortcut], name=f"crnn_{size}")


def plain(model: Crnn) -> Crnn:
    """The same network in float32 throughout, as it is served."""
    if all(layer.compute_dtype in (None, "float32") for layer in model.layers):
        return model

    def in_float32(layer: layers.Layer) -> layers.Layer:
        return layer.__class__.from_config({**layer.get_config(), "dtype": "float32"})

    same: Crnn = keras.models.clone_model(model, clone_function=in_float32)
    same.set_weights(model.get_weights())
    return same


def reader(model: Crnn) -> keras.Model:
    """The part that is served: ink to log-probabilities, without the shortcut."""
    logits = model.get_layer("logits").output
    return keras.Model(model.input, layers.Activation("log_softmax", name="log_probs")(logits))


def _residual(x: Any, channels: int) -> Any:
    """Two convolutions and the way round them (He et al. 2015, arXiv:1512.03385)."""
    way_round = x
    if x.shape[-1] != channels:
        way_round = layers.Conv2D(channels, 1, use_bias=False)(x)
        way_round = Normalization(momentum=0.98)(way_round)
    y = Normalization(momentum=0.98)(Convolution(channels, 3)(x))
    y = Convolution(channels, 3)(layers.ReLU()(y))
    y = Normalization(momentum=0.98)(y)
    return layers.ReLU()(layers.Add()([y, way_round]))
