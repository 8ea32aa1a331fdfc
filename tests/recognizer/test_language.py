"""Language models: what they say, and what is refused."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from recognizer.alphabet import Alphabet
from recognizer.errors import BundleError
from recognizer.language import (
    STEP,
    UNKNOWN,
    LanguageGuide,
    LanguageModel,
    Ngrams,
    quantise,
)

AB = Alphabet("ab", blank=2)

# n-gram -> (log-probability of its last symbol, back-off weight); "|" is the edge of a line
TABLE = {
    "|": (-2.0, -0.5),
    "a": (-1.0, -0.25),
    "b": (-1.5, 0.0),
    "|a": (-0.5, -1.0),
    "aa": (-2.5, 0.0),
    "ab": (-0.75, 0.0),
    "|ab": (-0.25, 0.0),
}


def ngrams(table: dict[str, tuple[float, float]] = TABLE, characters: str = "ab") -> Ngrams:
    code = {"|": 0, **{character: index + 1 for index, character in enumerate(characters)}}
    keys = sorted(table, key=lambda key: (len(key), [code[c] for c in key]))
    nodes = ["", *keys]
    return Ngrams(
        characters,
        np.array([0, *(code[key[-1]] for key in keys)], np.uint8),
        np.array([sum(key[:-1] == node for key in keys) for node in nodes], np.uint8),
        quantise(np.array([0.0, *(table[key][0] for key in keys)])),
        quantise(np.array([0.0, *(table[key][1] for key in keys)])),
    )


def by_hand(context: str, symbol: str) -> float:
    """Katz's back-off, literally."""
    while context + symbol not in TABLE:
        weight = TABLE[context][1] if context in TABLE else 0.0
        return weight + by_hand(context[1:], symbol)
    return TABLE[context + symbol][0]


@pytest.mark.parametrize(
    "text", ["".join(t) for n in range(5) for t in itertools.product("ab", repeat=n)]
)
def test_a_line_has_the_score_of_backing_off_by_hand(text: str) -> None:
    model = LanguageModel(ngrams(), AB)
    line = f"|{text}|"
    expected = sum(by_hand(line[max(0, i - 2) : i], line[i]) for i in range(1, len(line)))
    assert model.score(AB.encode(text)) == pytest.approx(expected, abs=STEP / 2 * len(line))


def test_the_blank_has_the_place_of_the_end() -> None:
    model = LanguageModel(ngrams(), AB)
    scores, _ = model.row(model.start)
    assert scores[AB.blank] == pytest.approx(-0.5 - 2.0)
    assert scores[AB.encode("a")[0]] == pytest.approx(-0.5)


def test_a_guide_weighs_and_adds() -> None:
    model = LanguageModel(ngrams(), AB)
    guide = LanguageGuide(model, weight=0.5, bonus=1.0)
    scores = guide.scores([guide.start])[0]
    assert scores.shape == (3,)
    assert scores[0] == pytest.approx(0.5 * -0.5 + 1.0)
    assert scores[AB.blank] == pytest.approx(0.5 * -2.5)  # the end writes no character
    after = guide.after(guide.start, 0)
    assert guide.scores([after])[0, 1] == pytest.approx(0.5 * -0.25 + 1.0)


def test_characters_of_one_side_alone_do_no_harm() -> None:
    wide = Alphabet("abc")
    model = LanguageModel(ngrams(), wide)
    scores, after = model.row(model.start)
    assert scores[wide.encode("c")[0]] == pytest.approx(UNKNOWN - 0.5)
    assert int(after[wide.encode("c")[0]]) == 0
    narrow = Alphabet("a")
    assert np.isfinite(LanguageModel(ngrams(), narrow).score(narrow.encode("aa")))


def test_a_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    ngrams().save(tmp_path / "m.npz")
    model = LanguageModel.load(tmp_path / "m.npz", AB)
    for text in ("", "ab", "ba"):
        expected = LanguageModel(ngrams(), AB).score(AB.encode(text))
        assert model.score(AB.encode(text)) == expected


def test_an_ngram_without_its_suffix_is_refused(tmp_path: Path) -> None:
    broken = {key: value for key, value in TABLE.items() if key != "ab"}
    ngrams(broken).save(tmp_path / "m.npz")
    with pytest.raises(BundleError, match="without its suffix"):
        LanguageModel.load(tmp_path / "m.npz", AB)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("symbols", np.zeros(8, np.uint8), "out of order"),
        ("symbols", np.zeros(3, np.uint8), "differ in length"),
        ("symbols", np.zeros(8, np.float64), "symbols: must be a row of uint8"),
        ("symbols", np.full(8, 200, np.uint8), "has no character"),
        ("children", np.array([7, 0, 0, 0, 0, 0, 0, 0], np.uint8), "lacks single characters"),
        ("children", np.full(8, 9, np.uint8), "make no trie"),
        ("characters", np.array([97, 97], np.uint32), "each once"),
        ("characters", np.array([97, 2**31], np.uint32), "m.npz"),
        ("scores", np.array([{}] * 8), "is no language model"),
        ("backoffs", None, "is no language model: .*backoffs"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, name: str, value: object, says: str) -> None:
    good = ngrams()
    arrays = {
        "characters": np.array([97, 98], np.uint32),
        "symbols": good.symbols,
        "children": good.children,
        "scores": good.scores,
        "backoffs": good.backoffs,
    }
    changed = {key: each for key, each in {**arrays, name: value}.items() if each is not None}
    np.savez(tmp_path / "m.npz", **changed)  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=says):
        LanguageModel.load(tmp_path / "m.npz", AB)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no archive at all"])
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.npz").write_bytes(data)
    with pytest.raises(BundleError, match=r"m\.npz: is no language model"):
        LanguageModel.load(tmp_path / "m.npz", AB)
