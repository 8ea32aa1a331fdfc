"""What a bundle is told of texts, and how much it is told to trust it."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bundles import make_bundle
from recognizer import language, lexicon, wordlist
from recognizer.alphabet import Alphabet
from recognizer.bundle import Bundle
from recognizer.decode import LogProbs, soften
from recognizer.guides import beam_guide, lexicon_guide
from recognizer.language import LanguageModel, Ngrams
from recognizer.lexicon import Lexicon
from recognizer.manifest import Calibration, Language, Words
from recognizer.recognizer import Recognizer
from trainer.datasets.synthetic import SyntheticDataset
from trainer.decoding import vocabulary
from trainer.decoding.fitting import Decoding, enriched
from trainer.decoding.language import estimate
from trainer.decoding.linguistics import Linguistics, texts_of
from trainer.decoding.tuning import Line, guided_scores, tune

ALPHABET = Alphabet(" abcdefghijklmnopqrstuvwxyz")
SENTENCES = [
    "the gardens of the palace",
    "a letter of the director",
    "the director of the gardens",
    "the letter is in the palace",
]


@cache
def small() -> Linguistics:
    return Linguistics(
        estimate(SENTENCES * 5, order=5),
        {piece: 10 for sentence in SENTENCES for piece in lexicon.pieces(sentence)},
        "a few sentences",
    )


def hesitant(text: str, seed: int) -> LogProbs:
    """What a network that takes one letter in five for another would say of a text."""
    rng = np.random.default_rng(seed)
    rows = np.full((2 * len(text) + 1, ALPHABET.classes), 1e-4)
    rows[::2, ALPHABET.blank] = 1
    for row, label in zip(rows[1::2], ALPHABET.encode(text), strict=True):
        sure = 0.45 if rng.random() < 0.2 else 0.9
        row[label] = sure
        row[rng.integers(1, ALPHABET.classes)] += 1 - sure
    return soften(np.log(rows).astype(np.float32), 1.0)


def lines() -> list[Line]:
    return [(text, hesitant(text, seed)) for seed, text in enumerate(SENTENCES * 3)]


def test_tuned_weights_read_better_than_none() -> None:
    plain = Language(file="x", weight=0.0, bonus=0.0)
    model = LanguageModel(small().ngrams, ALPHABET)
    words_ = Lexicon.of(small().words, ALPHABET)
    without = guided_scores(beam_guide(model, plain), ALPHABET, lines())
    found, lexical = tune(small(), ALPHABET, lines())
    with_model = guided_scores(beam_guide(model, found), ALPHABET, lines())
    with_words = guided_scores(lexicon_guide(model, words_, lexical), ALPHABET, lines())
    assert without.wer > 0.3
    assert with_model.wer < 0.8 * without.wer
    assert with_words.wer < 0.8 * without.wer
    assert with_model.cer < without.cer
    assert (found.file, lexical.file) == (language.FILE, wordlist.FILE)


def test_training_texts_and_frequencies_make_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocabulary, "LINES", 300)
    few = {
        name: dict(list(vocabulary.frequencies(name).items())[:200])
        for name in vocabulary.LANGUAGES
    }
    monkeypatch.setattr(vocabulary, "frequencies", few.__getitem__)
    made = Linguistics.of(["Callitris rhomboidea", "the Callitris"])
    assert {"callitris", "rhomboidea", "the", "dans"} <= set(made.words)
    assert made.words["callitris"] > made.words["rhomboidea"]
    made.save(tmp_path)
    assert dict(wordlist.read(tmp_path / wordlist.FILE)) == made.words
    model = LanguageModel(Ngrams.load(tmp_path / language.FILE), Alphabet(" Calitrs"))
    encode = Alphabet(" Calitrs").encode
    assert model.score(encode("Callitris")) > model.score(encode("Ciltlrias"))
    assert "2 transcriptions" in made.source
    assert "wordfreq" in made.source


def test_rendered_lines_teach_no_language() -> None:
    assert texts_of([SyntheticDataset(train=5, val=0, test=0)]) == []


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle that reads bars, with all that can be fitted."""
    folder = tmp_path_factory.mktemp("rich")
    decoding = Decoding(
        temperature=1.5,
        language=Language(file=language.FILE, weight=0.3, bonus=0.5),
        lexicon=Words(file=wordlist.FILE, weight=0.1, escape=2.0, language_weight=0.3, bonus=0.5),
        calibration={"beam": Calibration(right=0.5, wrong=0.5, offset=-0.1)},
        linguistics=Linguistics(estimate(["aa a", "a aaa"], order=3), {"aa": 3, "a": 5}, "bars"),
    )
    return enriched(make_bundle(folder / "plain"), decoding, folder / "rich")


def test_an_enriched_bundle_offers_every_decoder(rich: Bundle) -> None:
    assert {language.FILE, wordlist.FILE} <= set(rich.manifest.files)
    assert Recognizer.load(rich.path).decoders == ("greedy", "beam", "lexicon")
    assert rich.manifest.temperature == 1.5


def test_an_enriched_bundle_can_be_enriched_anew(rich: Bundle, tmp_path: Path) -> None:
    bare = enriched(rich, Decoding(), tmp_path / "bare")
    assert language.FILE not in bare.manifest.files
    assert not (bare.path / wordlist.FILE).exists()
    assert Recognizer.load(bare.path).decoders == ("greedy", "beam")
