"""A training's best network, brought back towards the bundle that it began with."""

import sys
from pathlib import Path

import numpy as np
import pytest

from recognizer.alphabet import Alphabet
from tools import blend
from trainer.checkpoint import Checkpoint, load_model
from trainer.export import export_bundle
from trainer.network import Crnn, build
from trainer.normalization import Normalization
from trainer.recipe import Recipe
from trainer.state import State
from trainer.transfer import KERAS_MODEL

KNOWN = Alphabet("abcdefghijklmnopqrstuvwxyz ")
GROWN = Alphabet("abcdefghijklmnopqrstuvwxyz é")
STATISTICS = ("moving_mean", "moving_variance")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A bundle, and the checkpoint of a training with one more character."""
    export_bundle(
        build("tiny", KNOWN.classes, seed=3),
        KNOWN,
        Recipe(size="tiny").input(),
        "# Card",
        tmp_path / "bundle",
    )
    checkpoint = Checkpoint(tmp_path / "run")
    trained = build("tiny", GROWN.classes, seed=4)
    checkpoint.save(State({}, GROWN.characters, "synthetic"), trained)
    checkpoint.save_best(trained)
    return tmp_path / "run"


def blended(run: Path, share: float, monkeypatch: pytest.MonkeyPatch) -> Crnn:
    bundle = str(run.parent / "bundle")
    options = ["--share", str(share), "-d", "synthetic:120", "--lines", "100"]
    monkeypatch.setattr(sys, "argv", ["blend", str(run), bundle, *options])
    blend.main()
    return Checkpoint(run).best()


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_weights_are_blended_and_statistics_taken_anew(
    run: Path, share: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new = Checkpoint(run).best()
    # the bundle keeps them in half precision
    old = load_model(run.parent / "bundle" / KERAS_MODEL)
    found = blended(run, share, monkeypatch)
    assert "its normalisations have seen" in capsys.readouterr().out
    moved = 0
    for before, after, between in zip(old.variables, new.variables, found.variables, strict=True):
        if before.shape != after.shape or before.path.endswith("seed_generator_state"):
            continue  # the heads, where a character is new
        if before.path.endswith(STATISTICS):
            moved += not np.allclose(between, share * after + (1 - share) * before, atol=1e-3)
        else:
            expected = share * np.asarray(after) + (1 - share) * np.asarray(before)
            np.testing.assert_allclose(between, expected, atol=1e-6)
    assert moved > 10
    assert found.output_shape[0][-1] == GROWN.classes


def test_every_batch_counts_as_much_whatever_the_statistics_were_before() -> None:
    network = build("tiny", KNOWN.classes, seed=3)
    first = next(each for each in network.layers if isinstance(each, Normalization))
    rng = np.random.default_rng(0)
    height = Recipe(size="tiny").input().height
    inks = [rng.random((16, height, 128, 1), np.float32) * size for size in (0.2, 1.0, 0.5)]

    def mean_over(some: list[np.ndarray]) -> np.ndarray:
        assert blend.renormalise(network, some) == len(some)
        return np.asarray(first.moving_mean)

    apart = [mean_over([each]) for each in inks]
    together = mean_over(inks)
    np.testing.assert_allclose(together, np.mean(apart, axis=0), atol=1e-5)
    assert not np.allclose(together, apart[-1], atol=1e-3)
    assert first.momentum == pytest.approx(0.98)
