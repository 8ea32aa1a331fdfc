"""What Keras computes by."""

import keras


def tensorflow_on_a_processor() -> bool:
    """Whether it is TensorFlow, and on no GPU."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")
