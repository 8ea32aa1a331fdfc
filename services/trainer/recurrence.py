"""An LSTM trained by the fastest way that the backend has."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from trainer.backend import tensorflow_on_a_processor


@keras.saving.register_keras_serializable("handwriting")
class Lstm(layers.LSTM):  # type: ignore[misc]  # keras ships no types
    """LSTM (Hochreiter & Schmidhuber 1997; with a forget gate, Gers et al. 2000).

    On a CPU, TensorFlow differentiates Keras's loop step by step: every time step multiplies its
    input by the kernel and adds its share to the gradients of both kernels, in matrices of a few
    rows. In training this one does at once all that does not hang on the step before, and writes
    its own gradient: only the product with the recurrent kernel is left in the loop, there and
    back. It took half as long. Elsewhere, and wherever Keras's layer was asked for more than
    the sequence of outputs, it is Keras's.
    """

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        """Features (images, steps, features) to outputs (images, steps, units)."""
        usual = initial_state is None and mask is None and self._is_plain()
        if not (usual and training and tensorflow_on_a_processor()):
            return super().call(sequences, initial_state, mask, training)
        import tensorflow as tf

        if self.go_backwards:
            sequences = tf.reverse(sequences, [1])
        cell = self.cell
        steps = tf.transpose(sequences, (1, 0, 2))
        pushes = tf.tensordot(steps, tf.convert_to_tensor(cell.kernel), 1) + cell.bias
        outputs = _recur(pushes, tf.convert_to_tensor(cell.recurrent_kernel))
        return tf.transpose(outputs, (1, 0, 2))

    def _is_plain(self) -> bool:
        cell = self.cell
        return (
            self.return_sequences
            and not (self.return_state or self.stateful or cell.dropout or cell.recurrent_dropout)
            and cell.use_bias
            and cell.activation is keras.activations.tanh
            and cell.recurrent_activation is keras.activations.sigmoid
        )


def _recur(pushes: Any, kernel: Any) -> Any:
    """The steps one after another.

    Args:
        pushes: (steps, images, 4 units), what the inputs give the gates i, f, g, o.
        kernel: (units, 4 units), what an output gives those of the next step.

    Returns:
        Outputs (steps, images, units).
    """
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # tensorflow ships no types
    def recur(pushes: Any, kernel: Any) -> tuple[Any, Callable[[Any], tuple[Any, Any]]]:
        count, images, units = tf.shape(pushes)[0], tf.shape(pushes)[1], kernel.shape[0]
        nothing = tf.zeros((images, units), pushes.dtype)

        def written(width: int) -> Any:
            return tf.TensorArray(pushes.dtype, size=count, element_shape=(None, width))

        def there(step: Any, h: Any, c: Any, gates: Any, cells: Any, outputs: Any) -> Any:
            z = pushes[step] + tf.matmul(h, kernel)
            i, f, _, o = tf.split(tf.sigmoid(z), 4, -1)
            g = tf.tanh(z[:, 2 * units : 3 * units])
            c = f * c + i * g
            h = o * tf.tanh(c)
            gates = gates.write(step, tf.concat([i, f, g, o], -1))
            return step + 1, h, c, gates, cells.write(step, c), outputs.write(step, h)

        begin = (0, nothing, nothing, written(4 * units), written(units), written(units))
        *_, gates, cells, outputs = _loop(lambda step: step < count, there, begin)
        gates, cells, outputs = gates.stack(), cells.stack(), outputs.stack()

        def gradient(ahead: Any) -> tuple[Any, Any]:
            i, f, g, o = tf.split(gates, 4, -1)
            bent = tf.tanh(cells)
            before = tf.concat([nothing[None], cells[:-1]], 0)
            # what c, three times, and h get of each gate before it is bent
            slopes = [g * i * (1 - i), before * f * (1 - f), i * (1 - g * g), bent * o * (1 - o)]
            slope = tf.concat(slopes, -1)
            through = o * (1 - bent * bent)  # what h gets of c
            turned = tf.transpose(kernel)

            def back(step: Any, dh: Any, dc: Any, dzs: Any) -> Any:
                dh = dh + ahead[step]
                dc = dc + dh * through[step]
                dz = tf.concat([dc, dc, dc, dh], -1) * slope[step]
                return step - 1, tf.matmul(dz, turned), dc * f[step], dzs.write(step, dz)

            end = (count - 1, nothing, nothing, written(4 * units))
            dzs = _loop(lambda step: step >= 0, back, end)[-1].stack()
            read = tf.concat([nothing[None], outputs[:-1]], 0)
            return dzs, tf.tensordot(read, dzs, [[0, 1], [0, 1]])

        return outputs, gradient

    return recur(pushes, kernel)


def _loop(goes_on: Callable[[Any], Any], body: Callable[..., Any], begin: tuple[Any, ...]) -> Any:
    import tensorflow as tf

    # one step at a time: each waits for the one before in any case
    return tf.while_loop(lambda step, *_: goes_on(step), body, begin, parallel_iterations=1)
