"""The convolution that is fast to train: the same outputs and gradients as Keras's."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.cores import flags

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

SERVICES = Path(__file__).parents[2] / "services"

COMPARED = """
import numpy as np, tensorflow as tf
from keras import layers
from trainer import convolution

convolution._turning_pays = lambda: True
fast = convolution.Convolution(5, 3)
usual = layers.Conv2D(5, 3, padding="same", use_bias=False)
rng = np.random.default_rng(0)
maps = tf.constant(rng.normal(size=(2, 4, 9, 3)).astype(np.float32))
for layer in (fast, usual):
    layer.build(maps.shape)
usual.set_weights(fast.get_weights())
shares = tf.constant(rng.normal(size=(2, 4, 9, 5)).astype(np.float32))

@tf.function
def outputs_and_gradients(layer):
    with tf.GradientTape() as tape:
        tape.watch(maps)
        outputs = layer(maps, training=True)
        total = tf.reduce_sum(outputs * shares)
    return [outputs, *tape.gradient(total, [maps, layer.kernel.value])]

for a, b in zip(outputs_and_gradients(usual), outputs_and_gradients(fast), strict=True):
    assert np.any(a)
    np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)
graph = outputs_and_gradients.get_concrete_function(fast).graph.as_graph_def()
orders = [node.attr["data_format"].s for node in graph.node if node.op == "Conv2DBackpropFilter"]
print("in planes" if orders == [b"NCHW"] else orders)
"""


def has(monkeypatch: pytest.MonkeyPatch, *flags: str, by_one_dnn: bool = True) -> bool:
    from trainer import convolution

    monkeypatch.setattr(convolution, "_knows_planes", lambda: by_one_dnn)
    monkeypatch.setattr(convolution, "flags", lambda: set(flags))
    return convolution._turning_pays()


@pytest.mark.skipif("avx2" not in flags(), reason="of kernels for processors with AVX2")
def test_outputs_and_gradients_are_those_of_keras() -> None:
    # TensorFlow chooses its kernels when it is imported: here it may have been, without oneDNN's
    ended = subprocess.run(
        [sys.executable, "-c", COMPARED],
        env={"TF_ENABLE_ONEDNN_OPTS": "1", "PYTHONPATH": str(SERVICES)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split("\n")[-2] == "in planes"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow's kernels")
def test_maps_are_turned_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has(monkeypatch, "avx", "avx2")
    assert not has(monkeypatch, "avx", "avx2", "avx512f")
    assert not has(monkeypatch, "avx")
    assert not has(monkeypatch, "avx", "avx2", by_one_dnn=False)


@pytest.mark.skipif("avx2" not in flags(), reason="of kernels for processors with AVX2")
@pytest.mark.parametrize("by_one_dnn", ["0", "1"])
def test_what_tensorflow_can_is_asked_of_it(by_one_dnn: str) -> None:
    asked = (
        "import os, tensorflow; tensorflow.zeros(1);"
        "os.environ['TF_ENABLE_ONEDNN_OPTS'] = '1';"  # too late
        "from trainer.convolution import _knows_planes; print(_knows_planes())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", asked],
        env={"TF_ENABLE_ONEDNN_OPTS": by_one_dnn, "PYTHONPATH": str(SERVICES)},
        capture_output=True,
        text=True,
    )
    assert ended.stdout.split() == [str(by_one_dnn == "1")], ended.stderr


@pytest.mark.parametrize(
    ("known", "options"),
    [
        ("avx512f", {}),
        ("avx", {"strides": 2}),
        ("avx", {"dilation_rate": 2}),
        ("avx", {"padding": "valid"}),
        ("avx", {"use_bias": True, "bias_initializer": "ones"}),
        ("avx", {"activation": "relu"}),
    ],
    ids=str,
)
def test_elsewhere_and_otherwise_it_is_that_of_keras(
    monkeypatch: pytest.MonkeyPatch, known: str, options: dict[str, Any]
) -> None:
    from trainer import convolution

    monkeypatch.setattr(convolution, "_knows_planes", lambda: True)
    monkeypatch.setattr(convolution, "flags", lambda: {"avx2", known})
    monkeypatch.setattr(convolution, "_convolved", lambda *_: pytest.fail("turned"))
    fast = convolution.Convolution(5, 3, **options)
    usual = keras.layers.Conv2D(5, 3, **{"padding": "same", "use_bias": False, **options})
    maps: Any = np.random.default_rng(0).normal(size=(2, 4, 9, 3)).astype(np.float32)
    for layer in (fast, usual):
        layer.build(maps.shape)
    usual.set_weights(fast.get_weights())
    for training in (True, False):
        np.testing.assert_allclose(
            fast(maps, training=training), usual(maps, training=training), atol=1e-6
        )


def test_a_network_keeps_it_over_a_file(tmp_path: Path) -> None:
    from trainer.convolution import Convolution
    from trainer.network import build

    build("tiny", 5).save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    kept = [layer for layer in again.layers if isinstance(layer, Convolution)]
    assert len(kept) == 4
    assert all(layer.padding == "same" and not layer.use_bias for layer in kept)
