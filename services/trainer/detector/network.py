"""The network of the line detector.

Knows Keras alone. The shape is that of a U-Net (Ronneberger et al. 2015, arXiv:1505.04597) whose
maps are a quarter of the page, as lines need no finer ones. That lines are found as narrow bands
along their baselines follows Gruening et al. 2018, "A Two-Stage Method for Text Line Detection in
Historical Documents", arXiv:1802.03345, section 3; here the network also says how far the letters
reach from the band, so that a polygon needs no second look at the page.
"""

from typing import Any

import keras
from keras import layers, ops

from trainer.normalization import Normalization

STEM = 16
CHANNELS = (24, 48, 64, 96)
"""At a 4th, 8th, 16th and 32nd of the page's size."""
MAPS = 3
REACHES = 4.0
"""How much an error of the reaches, in cells / REACH, counts beside one of the band."""


@keras.saving.register_keras_serializable("handwriting")
class Finder(keras.Model):  # type: ignore[misc]  # keras ships no types
    """Ink (pages, height, width, 1) to maps (pages, height / 4, width / 4, 3).

    Sides are multiples of 32. The maps: the band along a line, 0 to 1; the reach of its letters
    above and below the band, in cells / `recognizer.detector.REACH`. Targets are the same maps,
    with reaches of 0 where no band is.
    """

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Cross entropy and overlap of the bands, and the error of the reaches on them."""
        band, found = y[..., 0], ops.clip(y_pred[..., 0], 1e-6, 1 - 1e-6)
        entropy = -(band * ops.log(found) + (1 - band) * ops.log(1 - found))
        # bands take little of a page: without their overlap, to find none would be a good start
        overlap = (2 * ops.sum(band * found) + 1) / (ops.sum(band) + ops.sum(found) + 1)
        on = ops.cast(band > 0.5, "float32")
        off = ops.sum(ops.abs(y[..., 1:] - y_pred[..., 1:]) * on[..., None])
        return ops.mean(entropy) + (1 - overlap) + REACHES * off / (ops.sum(on) + 1)


def build(*, seed: int = 0) -> Finder:
    """A new network with random weights."""
    keras.utils.set_random_seed(seed)
    ink = keras.Input((None, None, 1), name="ink")
    x = _conv(ink, STEM, strides=2)
    x = _conv(x, CHANNELS[0], strides=2)
    levels = []
    for number, channels in enumerate(CHANNELS):
        if number:
            x = layers.MaxPooling2D(2)(x)
        x = _conv(_conv(x, channels), channels)
        levels.append(x)
    for finer in reversed(levels[:-1]):
        x = layers.UpSampling2D(2, interpolation="nearest")(x)
        x = _conv(layers.Concatenate()([x, finer]), finer.shape[-1])
    x = _conv(x, CHANNELS[0])
    band = layers.Conv2D(1, 1, activation="sigmoid", name="band")(x)
    reach = layers.Conv2D(MAPS - 1, 1, activation="softplus", name="reach")(x)
    return Finder(ink, layers.Concatenate(name="maps")([band, reach]), name="finder")


def _conv(x: Any, channels: int, *, strides: int = 1) -> Any:
    x = layers.Conv2D(channels, 3, strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(Normalization(momentum=0.98)(x))
