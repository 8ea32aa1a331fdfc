"""A convolution trained by the fastest way that the backend has."""

from functools import cache
from typing import Any

import keras
from keras import layers

from trainer.backend import tensorflow_on_a_processor
from trainer.cores import flags


@keras.saving.register_keras_serializable("handwriting")
class Convolution(layers.Conv2D):  # type: ignore[misc]  # keras ships no types
    """Convolution of channels-last maps whose output is as large as its input, without a bias.

    The gradient of a kernel was a third of a training step on processors with AVX2 and no
    AVX-512: oneDNN is two to three times as fast there with maps of channels first, even if they
    must be turned round for it. In training on such a processor this layer has them turned;
    elsewhere it is Keras's.
    """

    def __init__(self, filters: int, kernel_size: Any, **options: Any) -> None:
        super().__init__(filters, kernel_size, **{"padding": "same", "use_bias": False, **options})

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        usual = self._is_plain() and inputs.dtype == "float32"
        if not (usual and training and _turning_pays()):
            return super().call(inputs)
        import tensorflow as tf

        return _convolved(inputs, tf.convert_to_tensor(self.kernel))

    def _is_plain(self) -> bool:
        return (
            self.padding == "same"
            and self.strides == self.dilation_rate == (1, 1)
            and self.groups == 1
            and self.data_format == "channels_last"
            and not self.use_bias
            and self.activation is keras.activations.linear
        )


def _turning_pays() -> bool:
    """Whether TensorFlow computes, and can do so in planes, on a processor as above."""
    known = flags()
    of_that_kind = "avx2" in known and "avx512f" not in known
    return of_that_kind and tensorflow_on_a_processor() and _knows_planes()


@cache
def _knows_planes() -> bool:
    """Whether there is a kernel of oneDNN for it, which TensorFlow settled when it was imported:
    the environment may say something else by now."""
    import tensorflow as tf

    with tf.init_scope():
        maps = tf.zeros((1, 1, 1, 1))
        try:
            tf.raw_ops.Conv2DBackpropFilter(
                input=maps,
                filter_sizes=[1, 1, 1, 1],
                out_backprop=maps,
                strides=[1, 1, 1, 1],
                padding="SAME",
                data_format="NCHW",
            )
        except tf.errors.OpError:
            return False
    return True


def _convolved(maps: Any, kernel: Any) -> Any:
    """Maps (images, height, width, channels in) by a kernel (rows, columns, channels in, out)."""
    import tensorflow as tf

    steps = {"strides": [1, 1, 1, 1], "padding": "SAME"}

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # tensorflow ships no types
    def convolved(maps: Any, kernel: Any) -> Any:
        def gradient(ahead: Any) -> tuple[Any, Any]:
            back = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(maps), filter=kernel, out_backprop=ahead, **steps
            )
            planes, ahead = (tf.transpose(each, (0, 3, 1, 2)) for each in (maps, ahead))
            of_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=planes,
                filter_sizes=kernel.shape,
                out_backprop=ahead,
                data_format="NCHW",
                **steps,
            )
            return back, of_kernel

        return tf.raw_ops.Conv2D(input=maps, filter=kernel, **steps), gradient

    return convolved(maps, kernel)
