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


def consistency_loss(logits: Any, lengths: Any) -> Any:
    """How differently two views of the same images are read, in nats per character.

    The Kullback-Leibler divergence between both at each time step, either way, of which each view
    only moves towards the other (Yao et al. 2024, "CR-CTC", arXiv:2410.05101, section 3.1).

    Args:
        logits: (2 x images, steps, classes), all second views after all first ones.
        lengths: (2 x images,) int32, how many labels each has.
    """
    log_probs = ops.log_softmax(logits, axis=-1)
    first, second = ops.split(log_probs, 2, axis=0)
    other = ops.stop_gradient(ops.concatenate([second, first], axis=0))
    divergence = ops.sum(ops.exp(other) * (other - log_probs))
    return divergence / ops.cast(ops.sum(lengths), divergence.dtype)


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
