"""The CTC loss (Graves et al. 2006), by the fastest way that the backend has."""

from typing import Any

import keras
from keras import ops

from trainer.sizes import BLANK

LEAST = 80.0  # nats below the likeliest class, about as far as float32 reaches


def ctc_loss(logits: Any, labels: Any, lengths: Any) -> Any:
    """CTC loss of a batch in nats per character.

    Every time step counts, those over padding too: the network learns to write nothing
    there, and a reading needs no length beside the image.

    Args:
        logits: (images, steps, classes), the blank at 0.
        labels: (images, longest) int32, padded with anything.
        lengths: (images,) int32, how many labels are real.
    """
    steps = ops.full_like(lengths, ops.shape(logits)[1])
    losses = _losses(logits, labels, lengths, steps)
    return ops.sum(losses) / ops.cast(ops.sum(lengths), losses.dtype)


def _losses(logits: Any, labels: Any, lengths: Any, steps: Any) -> Any:
    if keras.backend.backend() != "tensorflow":
        return ops.ctc_loss(labels, logits, lengths, steps, mask_index=BLANK)
    # Keras takes the dense form of TensorFlow's loss, a loop over time steps that took more
    # than half of a training step on a CPU; the sparse form is one kernel
    import tensorflow as tf

    real = tf.sequence_mask(lengths, tf.shape(labels)[1])
    sparse = tf.sparse.from_dense(tf.where(real, labels, 0))
    # the kernel takes the logarithm of probabilities, which must not underflow to 0
    floor = tf.reduce_max(logits, axis=-1, keepdims=True) - LEAST
    logits = tf.maximum(logits, floor)
    return tf.nn.ctc_loss(sparse, logits, None, steps, logits_time_major=False, blank_index=BLANK)
