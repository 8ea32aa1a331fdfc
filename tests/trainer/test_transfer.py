"""Networks that begin with what another has learnt."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from recognizer.alphabet import Alphabet
from trainer.checkpoint import load_model
from trainer.export import export_bundle
from trainer.network import Crnn, build, stages_of
from trainer.recipe import Recipe
from trainer.sizes import DEFINITIONS
from trainer.transfer import fits, start_from, transfer

ALPHABET = Alphabet("abcdefghijklmnopqrstuvwxyz ")
TINY = DEFINITIONS["tiny"]


@pytest.fixture(scope="module")
def network() -> Crnn:
    return build("tiny", ALPHABET.classes, seed=3)


def ink() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).random((1, TINY.height, 128, 1), np.float32)


def test_training_on_with_the_same_alphabet_starts_with_the_same_outputs(network: Crnn) -> None:
    copy = transfer(network, ALPHABET, Recipe(size="tiny", seed=9), ALPHABET)
    before, after = (model.predict_on_batch(ink())[0] for model in (network, copy))
    np.testing.assert_allclose(before, after, atol=1e-5)


def test_training_on_computes_and_drops_out_as_the_recipe_says(
    network: Crnn, tmp_path: Path
) -> None:
    spec = Recipe(size="tiny").input()
    exported = export_bundle(network, ALPHABET, spec, "# Card", tmp_path / "bundle")
    recipe = Recipe(size="tiny", precision="mixed_bfloat16", dropout=0.3)
    start, _ = start_from(exported, recipe, ALPHABET)
    assert start
    assert start.get_layer("columns").compute_dtype == "bfloat16"
    rates = {each.rate for each in start.layers if isinstance(each, keras.layers.Dropout)}
    assert rates == {0.3}


def test_a_grown_alphabet_keeps_what_was_learnt_and_mutes_what_is_new(network: Crnn) -> None:
    wanted = Alphabet("".join(sorted(ALPHABET.characters + "éß")))
    grown = transfer(network, ALPHABET, Recipe(size="tiny", seed=9), wanted)
    before = np.asarray(network.predict_on_batch(ink())[0])
    after = np.asarray(grown.predict_on_batch(ink())[0])
    kept = [0, *wanted.encode(ALPHABET.characters)]
    own = [0, *ALPHABET.encode(ALPHABET.characters)]
    np.testing.assert_allclose(after[..., kept], before[..., own], atol=1e-5)
    for head in grown.predict_on_batch(ink()):
        mean = head[..., wanted.encode(ALPHABET.characters)].mean(-1)
        for new in wanted.encode("éß"):
            np.testing.assert_allclose(head[..., new], mean, atol=1e-5)


def test_only_a_network_of_the_same_size_can_be_trained_on_from(network: Crnn) -> None:
    assert fits(network, "tiny")
    assert not fits(network, "small")


@pytest.mark.parametrize("saved", [False, True])
def test_a_network_with_fewer_blocks_grows_into_one_that_reads_alike(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, saved: bool
) -> None:
    shallow = build("tiny", ALPHABET.classes, seed=3)
    if saved:
        # as files of before have it: the layers' names come of a counter
        renamed = keras.models.clone_model(
            shallow,
            clone_function=lambda layer: layer.__class__.from_config(
                {**layer.get_config(), "name": None}
                if layer.weights and layer.name not in ("logits", "shortcut")
                else layer.get_config()
            ),
        )
        renamed.set_weights(shallow.get_weights())
        renamed.save(tmp_path / "model.keras")
        shallow = load_model(tmp_path / "model.keras")
        assert not any("block" in layer.name for layer in shallow.layers if layer.weights)
    monkeypatch.setitem(DEFINITIONS, "tiny", replace(TINY, stages=((16, 2), (32, 3))))
    assert fits(shallow, "tiny")
    deep = transfer(shallow, ALPHABET, Recipe(size="tiny", seed=9), ALPHABET)
    assert stages_of(deep) == ((16, 2), (32, 3))
    before, after = (np.asarray(each.predict_on_batch(ink())[0]) for each in (shallow, deep))
    np.testing.assert_allclose(before, after, atol=1e-5)


def test_what_was_added_learns(monkeypatch: pytest.MonkeyPatch, network: Crnn) -> None:
    monkeypatch.setitem(DEFINITIONS, "tiny", replace(TINY, stages=((16, 2), (32, 1))))
    deep = transfer(network, ALPHABET, Recipe(size="tiny"), ALPHABET)
    deep.compile(keras.optimizers.SGD(0.1))
    targets = {"labels": np.array([[1, 2, 3]], np.int32), "lengths": np.array([3], np.int32)}
    for _ in range(2):
        deep.train_on_batch(ink(), targets)
    scale = deep.get_layer("stage0_block1_conv1_norm").gamma
    assert np.abs(keras.ops.convert_to_numpy(scale)).max() > 0


@pytest.mark.parametrize("stages", [((16, 1),), ((16, 1), (48, 1)), ((16, 1), (32, 0))])
def test_a_network_does_not_shrink_or_change_its_channels(
    monkeypatch: pytest.MonkeyPatch, network: Crnn, stages: tuple[tuple[int, int], ...]
) -> None:
    monkeypatch.setitem(DEFINITIONS, "tiny", replace(TINY, stages=stages))
    assert not fits(network, "tiny")
