"""The network: its shapes, its loss, that it learns, and that its backend does not matter."""

import itertools
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recognizer import decode
from recognizer.alphabet import Alphabet
from recognizer.prepare import prepare
from trainer.datasets.synthetic import SyntheticDataset
from trainer.recipe import Recipe
from trainer.sizes import BLANK, DEFINITIONS, SIZES, STRIDE, SizeName

keras = pytest.importorskip("keras")
SERVICES = Path(__file__).parents[2] / "services"


def random_batch(images: int = 4, width: int = 128, classes: int = 7) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 7, images).astype(np.int32)
    labels = rng.integers(1, classes, (images, 32)).astype(np.int32)
    ink = rng.random((images, 32, width, 1), np.float32)
    return {"ink": ink, "labels": labels, "lengths": lengths}


@pytest.mark.parametrize("size", SIZES)
def test_one_step_for_every_four_columns(size: SizeName) -> None:
    from trainer.network import build, reader

    model = build(size, 11)
    height = DEFINITIONS[size].height
    assert model.input_shape == (None, height, None, 1)
    for width in (128, 2048):
        outputs = model.compute_output_shape((2, height, width, 1))
        assert outputs == [(2, width // STRIDE, 11)] * 2
    assert reader(model).output_shape == (None, None, 11)
    limit = {"tiny": 1e5, "small": 2e6, "large": 2e7}[size]
    assert model.count_params() < limit


def test_same_seed_same_weights() -> None:
    from trainer.network import build

    first, again, other = (build("tiny", 5, seed=seed) for seed in (1, 1, 2))
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    kernels = [model.get_layer("logits").get_weights()[0] for model in (first, other)]
    assert not np.array_equal(*kernels)


def test_reader_gives_the_log_probabilities_of_the_main_head() -> None:
    from trainer.network import build, reader

    model = build("tiny", 7)
    ink = random_batch()["ink"]
    logits, _ = model.predict_on_batch(ink)
    expected = np.stack([decode.soften(each, 1.0) for each in logits])
    np.testing.assert_allclose(reader(model).predict_on_batch(ink), expected, atol=1e-4)


def test_loss_is_summed_over_all_paths() -> None:
    """Brute force: the probability of every path that writes the text."""
    from trainer.ctc import ctc_loss

    steps, classes = 5, 3
    texts = [[1, 2], [1, 1], [2]]
    logits = np.random.default_rng(1).normal(0, 1, (3, steps, classes)).astype(np.float32)
    labels = np.zeros((3, 8), np.int32)
    expected = 0.0
    for row, text, image in zip(labels, texts, logits, strict=True):
        row[: len(text)] = text
        row[len(text) :] = 2  # what lies beyond the length does not count
        log_probs = decode.soften(image, 1.0)
        probability = sum(
            float(np.exp(log_probs[range(steps), path].sum()))
            for path in itertools.product(range(classes), repeat=steps)
            if [each for each, _ in itertools.groupby(path) if each != BLANK] == text
        )
        expected -= np.log(probability)
    found = float(ctc_loss(logits, labels, np.array([2, 2, 1], np.int32)))
    assert found == pytest.approx(expected / 5, rel=1e-4)


def test_loss_is_that_of_keras_and_so_is_its_gradient() -> None:
    """On TensorFlow another kernel computes it."""
    tensorflow = pytest.importorskip("tensorflow")
    from trainer.ctc import ctc_loss

    batch = random_batch()
    labels, lengths = batch["labels"], batch["lengths"]
    logits = tensorflow.Variable(np.random.default_rng(3).normal(0, 2, (4, 24, 7)), dtype="float32")
    results = []
    for ours in (True, False):
        with tensorflow.GradientTape() as tape:
            if ours:
                loss = ctc_loss(logits, labels, lengths)
            else:
                steps = np.full(4, 24, np.int32)
                each = keras.ops.ctc_loss(labels, logits, lengths, steps, mask_index=BLANK)
                loss = keras.ops.sum(each) / lengths.sum()
        results.append((float(loss), np.asarray(tape.gradient(loss, logits))))
    (ours_loss, ours_slope), (keras_loss, keras_slope) = results
    assert ours_loss == pytest.approx(keras_loss, rel=1e-5)
    np.testing.assert_allclose(ours_slope, keras_slope, atol=1e-5)


def test_loss_stays_finite_where_the_network_is_sure_and_wrong() -> None:
    from trainer.ctc import ctc_loss

    logits = np.full((1, 6, 4), -200, np.float32)
    logits[..., 1] = 200
    loss = float(ctc_loss(logits, np.array([[2, 3, 2]], np.int32), np.array([3], np.int32)))
    assert 20 < loss < 1000


def test_mixed_precision_keeps_weights_heads_and_can_be_undone() -> None:
    from trainer.network import build, plain

    ink = random_batch()["ink"]
    mixed = build("tiny", 7, precision="mixed_bfloat16")
    assert {str(weight.dtype) for weight in mixed.trainable_variables} == {"float32"}
    assert mixed.get_layer("columns").compute_dtype == "bfloat16"
    assert mixed.get_layer("logits").compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"
    same = plain(mixed)
    assert {layer.compute_dtype for layer in same.layers} == {"float32"}
    logits = [model.predict_on_batch(ink)[0] for model in (mixed, same)]
    np.testing.assert_allclose(*logits, atol=0.05)
    assert plain(same) is same


def test_training_adds_the_loss_of_the_shortcut() -> None:
    from trainer.ctc import ctc_loss
    from trainer.network import SHORTCUT_WEIGHT, build

    batch = random_batch()
    model = build("tiny", 7)
    main, shortcut = outputs = model(batch["ink"], training=True)
    targets = {"labels": batch["labels"], "lengths": batch["lengths"]}
    expected = float(ctc_loss(main, **targets) + SHORTCUT_WEIGHT * ctc_loss(shortcut, **targets))
    assert float(model.compute_loss(y=targets, y_pred=outputs)) == pytest.approx(expected)


def test_a_saved_network_is_the_same_network(tmp_path: Path) -> None:
    from trainer.checkpoint import load_model
    from trainer.network import Crnn, build

    model = build("tiny", 7)
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert isinstance(loaded, Crnn)
    assert loaded.name == "crnn_tiny"
    ink = random_batch()["ink"]
    for mine, its in zip(loaded.predict_on_batch(ink), model.predict_on_batch(ink), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-6)


def test_overfits_one_batch() -> None:
    """A network, a loss and an optimizer that work together can learn six words by heart."""
    from trainer.ctc import ctc_loss
    from trainer.network import build
    from trainer.optimizer import compile_model

    recipe = Recipe(size="tiny", learning_rate=5e-3)
    words = SyntheticDataset(train=40, val=0, test=0, level="word", seed=4).samples("train")
    inks = [(sample, prepare(sample.image(), recipe.input()).ink) for sample in words]
    narrow = [pair for pair in inks if pair[1].shape[1] == 128][:6]
    samples = [sample for sample, _ in narrow]
    alphabet = Alphabet.of(sample.text for sample in samples)
    ink = np.stack([each for _, each in narrow])[..., np.newaxis]
    labels = np.zeros((6, 32), np.int32)
    for row, sample in zip(labels, samples, strict=True):
        row[: len(sample.text)] = alphabet.encode(sample.text)
    lengths = np.array([len(sample.text) for sample in samples], np.int32)
    model = build("tiny", alphabet.classes, seed=1)
    compile_model(model, recipe)
    targets = {"labels": labels, "lengths": lengths}
    learning = range(600)
    assert any(float(model.train_on_batch(ink, targets)) < 0.06 for _ in learning)
    model.optimizer.learning_rate.assign(2e-4)
    for _ in range(220):  # the moving means of the normalisation come to rest
        model.train_on_batch(ink, targets)
    logits = model.predict_on_batch(ink)[0]
    assert float(ctc_loss(logits, labels, lengths)) < 0.1
    read = [
        alphabet.decode([span.label for span in decode.greedy(image, BLANK)]) for image in logits
    ]
    assert read == [sample.text for sample in samples]


LOSSES = """
import sys
import keras
import numpy as np
from trainer.network import build
from trainer.recipe import Recipe
from trainer.optimizer import compile_model

batch = np.load(sys.argv[1])
model = build("tiny", 7)
compile_model(model, Recipe(size="tiny"))
model.load_weights(sys.argv[2])
targets = {"labels": batch["labels"], "lengths": batch["lengths"]}
losses = [float(model.train_on_batch(batch["ink"], targets)) for _ in range(3)]
print(keras.backend.backend(), *losses)
"""


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_same_weights_and_batch_give_the_same_loss_on_jax(tmp_path: Path) -> None:
    """And the same gradients: the losses after a step and after two agree, too."""
    from trainer.network import build
    from trainer.optimizer import compile_model

    if keras.backend.backend() != "tensorflow":
        pytest.skip("compares with TensorFlow")
    batch = random_batch()
    targets = {"labels": batch["labels"], "lengths": batch["lengths"]}
    model = build("tiny", 7, seed=3)
    compile_model(model, Recipe(size="tiny"))
    files = (tmp_path / "batch.npz", tmp_path / "start.weights.h5")
    np.savez(files[0], **batch)
    model.save_weights(files[1])
    with subprocess.Popen(
        [sys.executable, "-c", LOSSES, *map(str, files)],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            # compiled to be run three times
            "XLA_FLAGS": "--xla_backend_optimization_level=0",
            "PYTHONPATH": str(SERVICES),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as other:
        expected = [float(model.train_on_batch(batch["ink"], targets)) for _ in range(3)]
        output, errors = other.communicate()
    assert other.returncode == 0, errors
    backend, *losses = output.split()
    assert backend == "jax"
    assert [float(loss) for loss in losses] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_fused_normalisation_is_that_of_keras(precision: str) -> None:
    from trainer.normalization import Normalization

    maps = np.random.default_rng(0).normal(2, 3, (4, 8, 50, 6)).astype(np.float32)
    mine, its = (
        layer(
            momentum=0.9,
            dtype=keras.DTypePolicy("mixed_bfloat16") if precision != "float32" else None,
        )
        for layer in (Normalization, keras.layers.BatchNormalization)
    )
    ours, theirs = (
        np.asarray(keras.ops.cast(layer(maps, training=True), "float32")) for layer in (mine, its)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-4 if precision == "float32" else 0.02)
    np.testing.assert_allclose(mine.moving_mean, its.moving_mean, rtol=1e-2)
    np.testing.assert_allclose(mine.moving_variance, its.moving_variance, rtol=1e-2)
    # once trained, it normalises by what it has kept
    after = [np.asarray(keras.ops.cast(layer(maps), "float32")) for layer in (mine, its)]
    np.testing.assert_allclose(*after, atol=0.05)
