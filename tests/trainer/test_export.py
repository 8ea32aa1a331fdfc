"""Bundles made of networks, and networks made of other networks."""

from pathlib import Path

import keras
import numpy as np
import pytest

from recognizer import language, wordlist
from recognizer.alphabet import Alphabet
from recognizer.bundle import Bundle
from recognizer.manifest import Language
from recognizer.prepare import prepare
from recognizer.recognizer import Recognizer
from trainer.checkpoint import CheckpointError, load_model
from trainer.datasets.synthetic import SyntheticDataset
from trainer.decoding.fitting import Decoding, enriched
from trainer.decoding.language import estimate
from trainer.decoding.linguistics import Linguistics
from trainer.export import export_bundle
from trainer.network import Crnn, build
from trainer.recipe import Recipe
from trainer.transfer import KERAS_MODEL, fits, start_from, transfer

ALPHABET = Alphabet("abcdefghijklmnopqrstuvwxyz ")
SPEC = Recipe(size="tiny").input()


@pytest.fixture(scope="module")
def network() -> Crnn:
    return build("tiny", ALPHABET.classes, seed=3)


@pytest.fixture(scope="module")
def exported(network: Crnn, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return export_bundle(network, ALPHABET, SPEC, "# Card", tmp_path_factory.mktemp("b") / "bundle")


def test_the_exported_network_computes_what_keras_computes(network: Crnn, exported: Bundle) -> None:
    sample = SyntheticDataset(train=0, val=1, test=0).samples("val")[0]
    ready = prepare(sample.image(), SPEC)
    logits = np.asarray(network.predict_on_batch(ready.ink[np.newaxis, ..., np.newaxis])[0])[0]
    log_probs = Recognizer(exported).infer([ready])[0]
    expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert np.abs(log_probs - expected).max() < 1e-4


def test_a_bundle_holds_what_the_contract_says(exported: Bundle) -> None:
    names = set(exported.manifest.files)
    assert {"model.onnx", KERAS_MODEL, "MODEL_CARD.md", "golden/0.png"} <= names
    assert Bundle.load(exported.path).manifest == exported.manifest


def test_the_saved_network_has_the_weights_in_half_precision_and_no_optimizer(
    network: Crnn, exported: Bundle
) -> None:
    """Where a training goes on from; what is served has all bits."""
    saved = load_model(exported.path / KERAS_MODEL)
    assert not saved.compiled
    for kept, own in zip(saved.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, own.astype(np.float16).astype(own.dtype))
    size = (exported.path / KERAS_MODEL).stat().st_size
    assert size < 0.8 * (exported.path / "model.onnx").stat().st_size


def test_exporting_again_replaces_the_bundle_whole(network: Crnn, tmp_path: Path) -> None:
    export_bundle(network, ALPHABET, SPEC, "# First", tmp_path / "bundle")
    (tmp_path / "bundle" / "left-over.txt").write_text("old")
    export_bundle(network, ALPHABET, SPEC, "# Second", tmp_path / "bundle")
    assert (tmp_path / "bundle" / "MODEL_CARD.md").read_text() == "# Second"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert not (tmp_path / "bundle" / "left-over.txt").exists()


def test_what_is_known_of_texts_travels_with_the_bundle(exported: Bundle, tmp_path: Path) -> None:
    decoding = Decoding(
        temperature=2.0,
        language=Language(file=language.FILE, weight=0.5, bonus=1.0),
        linguistics=Linguistics(estimate(["a line of text"], order=3), {"line": 1}, "one line"),
    )
    bundle = enriched(exported, decoding, tmp_path / "bundle", card="# Another card")
    assert {language.FILE, wordlist.FILE} <= set(bundle.manifest.files)
    assert bundle.manifest.temperature == 2.0
    assert bundle.manifest.language == decoding.language
    assert (bundle.path / "MODEL_CARD.md").read_text() == "# Another card"
    # the manifest names no lexicon
    assert Recognizer.load(bundle.path).decoders == ("greedy", "beam")


def test_a_file_that_is_no_network_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"not a network")
    with pytest.raises(CheckpointError, match=r"model\.keras is not a saved network"):
        load_model(tmp_path / "model.keras")


def test_training_on_with_the_same_alphabet_starts_with_the_same_outputs(network: Crnn) -> None:
    copy = transfer(network, ALPHABET, Recipe(size="tiny", seed=9), ALPHABET)
    ink = np.random.default_rng(0).random((1, 32, 128, 1), np.float32)
    before, after = (model.predict_on_batch(ink)[0] for model in (network, copy))
    np.testing.assert_allclose(before, after, atol=1e-5)


def test_training_on_computes_and_drops_out_as_the_recipe_says(exported: Bundle) -> None:
    recipe = Recipe(size="tiny", precision="mixed_bfloat16", dropout=0.3)
    start, _ = start_from(exported, recipe, ALPHABET)
    assert start
    assert start.get_layer("columns").compute_dtype == "bfloat16"
    rates = {each.rate for each in start.layers if isinstance(each, keras.layers.Dropout)}
    assert rates == {0.3}


def test_a_grown_alphabet_keeps_what_was_learnt_and_mutes_what_is_new(network: Crnn) -> None:
    wanted = Alphabet("".join(sorted(ALPHABET.characters + "éß")))
    grown = transfer(network, ALPHABET, Recipe(size="tiny", seed=9), wanted)
    ink = np.random.default_rng(0).random((1, 32, 128, 1), np.float32)
    before = np.asarray(network.predict_on_batch(ink)[0])
    after = np.asarray(grown.predict_on_batch(ink)[0])
    kept = [0, *wanted.encode(ALPHABET.characters)]
    own = [0, *ALPHABET.encode(ALPHABET.characters)]
    np.testing.assert_allclose(after[..., kept], before[..., own], atol=1e-5)
    for head in grown.predict_on_batch(ink):
        mean = head[..., wanted.encode(ALPHABET.characters)].mean(-1)
        for new in wanted.encode("éß"):
            np.testing.assert_allclose(head[..., new], mean, atol=1e-5)


def test_only_a_network_of_the_same_size_can_be_trained_on_from(network: Crnn) -> None:
    assert fits(network, "tiny")
    assert not fits(network, "small")
