"""The LSTM that is fast to train: the same outputs and gradients as Keras's."""

from typing import Any

import numpy as np
import pytest

from trainer.sizes import STRIDE

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

FEATURES, UNITS = 5, 3


def pair(**options: Any) -> tuple[Any, Any]:
    """Keras's layer and ours, with the same weights."""
    from trainer.recurrence import Lstm

    layers = []
    for kind in (keras.layers.LSTM, Lstm):
        layer = keras.layers.Bidirectional(kind(UNITS, **{"return_sequences": True, **options}))
        layer.build((None, None, FEATURES))
        layers.append(layer)
    usual, fast = layers
    rng = np.random.default_rng(3)
    fast.set_weights([rng.normal(size=each.shape) for each in fast.get_weights()])
    usual.set_weights(fast.get_weights())
    return usual, fast


def sequences(images: int = 2, steps: int = 7) -> Any:
    return np.random.default_rng(4).normal(size=(images, steps, FEATURES)).astype(np.float32)


def outputs_and_gradients(layer: Any, given: Any) -> list[Any]:
    """In training: outputs, and the gradients of a weighted sum of them."""
    import tensorflow as tf

    @tf.function  # type: ignore[untyped-decorator]  # tensorflow ships no types
    def both(given: Any) -> list[Any]:
        weights = [variable.value for variable in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(given)
            outputs = layer(given, training=True)
            shares = tf.reshape(tf.range(tf.size(outputs), dtype=tf.float32), tf.shape(outputs))
            total = tf.reduce_sum(outputs * tf.sin(shares))
        return [outputs, *tape.gradient(total, [given, *weights])]

    return [np.asarray(each) for each in both(tf.constant(given))]


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_outputs_and_gradients_are_those_of_keras(steps: int) -> None:
    given = sequences(steps=steps)
    usual, fast = (outputs_and_gradients(layer, given) for layer in pair())
    assert len(usual) == 8  # outputs, inputs, and three weights of each direction
    for a, b in zip(usual, fast, strict=True):
        assert a.any() or steps == 1  # a single step gives the recurrent kernel nothing
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)


def test_it_learns_in_its_own_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer import recurrence

    calls = []
    own = recurrence._recur
    monkeypatch.setattr(recurrence, "_recur", lambda *given: calls.append(1) or own(*given))
    _, fast = pair()
    given = sequences()
    learning = np.asarray(fast(given, training=True))
    assert len(calls) == 2
    reading = np.asarray(fast(given, training=False))
    assert len(calls) == 2
    np.testing.assert_allclose(learning, reading, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"return_sequences": False}, {"use_bias": False}, {"activation": "relu"}, {"dropout": 1e-9}],
    ids=str,
)
def test_what_it_was_not_made_for_is_left_to_keras(options: dict[str, Any]) -> None:
    usual, fast = pair(**options)
    given = sequences()
    a, b = (np.asarray(layer(given, training=True)) for layer in (usual, fast))
    np.testing.assert_allclose(b, a, atol=1e-6)


def test_a_network_keeps_it_over_a_file(tmp_path: Any) -> None:
    from trainer.network import build
    from trainer.recurrence import Lstm

    model = build("tiny", 5)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    layer = next(each for each in again.layers if isinstance(each, keras.layers.Bidirectional))
    assert isinstance(layer.forward_layer, Lstm)
    assert isinstance(layer.backward_layer, Lstm)
    ink = np.random.default_rng(0).random((2, 32, 16 * STRIDE, 1), np.float32)
    for a, b in zip(model.predict_on_batch(ink), again.predict_on_batch(ink), strict=True):
        np.testing.assert_allclose(b, a, atol=1e-6)
