"""Networks with 8-bit convolutions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from recognizer.alphabet import Alphabet
from recognizer.bundle import Bundle
from recognizer.prepare import Prepared, prepare
from recognizer.recognizer import Recognizer
from trainer import quantize
from trainer.card import model_card
from trainer.corpus import Corpus
from trainer.datasets.synthetic import SyntheticDataset
from trainer.export import export_bundle
from trainer.network import build
from trainer.quantize import MOST_LOSS, Precision, faster, quantized
from trainer.recipe import Recipe

ALPHABET = Alphabet("abcdefghijklmnopqrstuvwxyz ")
SPEC = Recipe(size="tiny").input()
SAMPLES = SyntheticDataset(train=0, val=12, test=0).samples("val")


@pytest.fixture(scope="module")
def prepared() -> list[Prepared]:
    return [prepare(sample.image(), SPEC) for sample in SAMPLES]


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    network = build("tiny", ALPHABET.classes, seed=3)
    return export_bundle(network, ALPHABET, SPEC, "# Card", tmp_path_factory.mktemp("b") / "exact")


@pytest.fixture(scope="module")
def smaller(exact: Bundle, prepared: list[Prepared], tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    return quantized(exact, [each.ink for each in prepared], tmp_path_factory.mktemp("q") / "eight")


def test_it_computes_nearly_the_same(
    exact: Bundle, smaller: Bundle, prepared: list[Prepared]
) -> None:
    pairs = zip(Recognizer(exact).infer(prepared), Recognizer(smaller).infer(prepared), strict=True)
    for before, after in pairs:
        assert before.shape == after.shape
        assert 0 < np.abs(np.exp(before) - np.exp(after)).max() < 0.02


def test_its_convolutions_are_of_8_bits_and_its_lstm_is_not(smaller: Bundle) -> None:
    graph = onnx.load(smaller.network).graph
    made = {output: node.op_type for node in graph.node for output in node.output}
    weights = [made.get(node.input[1]) for node in graph.node if node.op_type == "Conv"]
    assert weights
    assert set(weights) == {"DequantizeLinear"}
    lstm = next(node for node in graph.node if node.op_type == "LSTM")
    assert made.get(lstm.input[1]) != "DequantizeLinear"


def test_a_reading_still_depends_on_its_image_alone(
    smaller: Bundle, prepared: list[Prepared]
) -> None:
    recognizer = Recognizer(smaller, threads=1, alone_threads=2)
    widths = [each.ink.shape[1] for each in prepared]
    width = max(set(widths), key=widths.count)
    same = [each for each in prepared if each.ink.shape[1] == width]
    assert len(same) > 1
    for each, together in zip(same, recognizer.infer(same), strict=True):
        np.testing.assert_array_equal(together, recognizer.infer([each])[0])
        np.testing.assert_array_equal(together, recognizer.infer([each], alone=True)[0])


def test_its_golden_texts_are_its_own_and_its_files_are_sealed(smaller: Bundle) -> None:
    assert Bundle.load(smaller.path) == smaller
    Recognizer.load(smaller.path).check()


def test_one_that_reads_as_well_is_taken(exact: Bundle, tmp_path: Path) -> None:
    chosen, precision = faster(exact, SAMPLES, SAMPLES, tmp_path / "eight")
    assert precision
    assert precision.samples == len(SAMPLES)
    assert chosen == (Bundle.load(tmp_path / "eight") if precision.kept else exact)


def test_one_that_reads_worse_is_not_taken(
    exact: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By as much as is allowed it is, by more it is not."""
    found = Precision(full=0.1, eight_bits=0.1 + MOST_LOSS, samples=100)
    assert found.kept
    assert not replace(found, eight_bits=0.1 + 1.1 * MOST_LOSS).kept
    monkeypatch.setattr(quantize, "MOST_LOSS", -1.0)
    chosen, precision = faster(exact, SAMPLES, SAMPLES, tmp_path / "eight")
    assert chosen is exact
    assert precision
    assert not precision.kept


def test_without_images_nothing_is_changed(exact: Bundle, tmp_path: Path) -> None:
    assert faster(exact, SAMPLES, [], tmp_path / "none") == (exact, None)
    assert faster(exact, [], SAMPLES, tmp_path / "none") == (exact, None)


@pytest.mark.parametrize(
    ("precision", "told"),
    [
        (Precision(0.1, 0.101, 400), "has convolutions of 8 bits: CER of 400"),
        (Precision(0.1, 0.15, 400), "was tried with 8-bit convolutions"),
    ],
)
def test_the_card_says_what_it_changes(precision: Precision, told: str) -> None:
    corpus = Corpus.of([SyntheticDataset(train=4, val=1, test=1)])
    card = model_card(
        corpus, Recipe(), epochs=1, start="random weights", scores={}, precision=precision
    )
    assert told in card
    assert f"{precision.eight_bits:.2%}" in card
