"""The optimizer: which variables Muon moves, how far, and that AdamW has the rest."""

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.recipe import Recipe

keras = pytest.importorskip("keras")

RATE = 1e-3
RECIPE = Recipe(size="tiny", learning_rate=RATE, weight_decay=0.0)

Values = dict[str, NDArray[np.float32]]


@cache
def moved(recipe: Recipe = RECIPE) -> tuple[Values, Values]:
    """Weights of a network by path before a step, and by how much the step changed them."""
    from trainer.network import build
    from trainer.optimizer import compile_model

    keras.utils.clear_session()  # which numbers the names of layers from one again
    model = build("tiny", 7, seed=1)
    compile_model(model, recipe)
    rng = np.random.default_rng(0)
    targets = {
        "labels": rng.integers(1, 7, (4, 32)).astype(np.int32),
        "lengths": np.full(4, 5, np.int32),
    }
    before = weights(model)
    model.train_on_batch(rng.random((4, 32, 128, 1), np.float32), targets)
    after = weights(model)
    return before, {path: after[path] - before[path] for path in before}


def weights(model: Any) -> Values:
    return {each.path: np.array(each) for each in model.trainable_variables}


def matrices(path: str, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    whole = values.reshape(-1, values.shape[-1])
    return np.split(whole, 4, axis=1) if "lstm" in path else [whole]


def is_head(path: str) -> bool:
    return "logits" in path or "shortcut" in path


def test_a_step_moves_every_direction_of_a_matrix_alike() -> None:
    _, steps = moved()
    kernels = {path: step for path, step in steps.items() if step.ndim > 1 and not is_head(path)}
    assert any("conv" in path for path in kernels)
    assert any("recurrent" in path for path in kernels)
    for path, step in kernels.items():
        for matrix in matrices(path, step):
            alike = RATE * 0.2 * np.sqrt(max(matrix.shape))
            sizes = np.linalg.svd(matrix, compute_uv=False) / alike
            # five iterations of Newton and Schulz end between 0.7 and 1.2, but for what is
            # nearly no direction of the gradient
            assert sizes.max() < 1.3, path
            assert np.median(sizes) > 0.6, path


def test_heads_biases_and_normalisations_are_adamws() -> None:
    """Whose first step is as long as the rate, whatever the gradient."""
    _, steps = moved()
    others = {path: step for path, step in steps.items() if step.ndim < 2 or is_head(path)}
    assert any(path.endswith("gamma") for path in others)
    for path, step in others.items():
        assert np.abs(step).max() == pytest.approx(RATE, rel=0.02), path


def test_decay_leaves_biases_and_normalisations_alone() -> None:
    before, without = moved()
    _, steps = moved(replace(RECIPE, weight_decay=10.0))
    for path, step in steps.items():
        decay = step - without[path]
        if path.endswith(("bias", "gamma", "beta")):
            np.testing.assert_allclose(decay, 0, atol=1e-7, err_msg=path)
        else:
            np.testing.assert_allclose(decay, -RATE * 10 * before[path], atol=1e-5, err_msg=path)


def test_a_loaded_network_goes_on_as_it_would_have(tmp_path: Any) -> None:
    from trainer.checkpoint import load_model
    from trainer.network import build
    from trainer.optimizer import compile_model, recompile

    rng = np.random.default_rng(0)
    ink = rng.random((4, 32, 128, 1), np.float32)
    targets = {
        "labels": rng.integers(1, 7, (4, 32)).astype(np.int32),
        "lengths": np.full(4, 5, np.int32),
    }
    model = build("tiny", 7, seed=1)
    compile_model(model, replace(RECIPE, weight_decay=1.0))
    for _ in range(3):
        model.train_on_batch(ink, targets)
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras", optimizer=True)
    recompile(loaded, replace(RECIPE, weight_decay=1.0))
    losses = [
        [float(each.train_on_batch(ink, targets)) for _ in range(3)] for each in (model, loaded)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert all(before != after for before, after in pairwise(losses[0]))


def test_adamw_may_have_all_of_it() -> None:
    _, steps = moved(replace(RECIPE, optimizer="adamw"))
    for path, step in steps.items():
        assert np.abs(step).max() == pytest.approx(RATE, rel=0.02), path
