"""Characters and their places among a network's classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.alphabet import Alphabet, normalise


@given(st.text(min_size=1), st.data())
def test_encoding_is_undone_by_decoding(text: str, data: st.DataObject) -> None:
    characters = Alphabet.of([text]).characters
    alphabet = Alphabet(characters, data.draw(st.integers(0, len(characters))))
    labels = alphabet.encode(text)
    assert alphabet.blank not in labels
    assert all(0 <= label < alphabet.classes for label in labels)
    assert alphabet.decode(labels) == text


@pytest.mark.parametrize(
    ("blank", "labels"), [(0, [1, 2, 3]), (1, [0, 2, 3]), (2, [0, 1, 3]), (3, [0, 1, 2])]
)
def test_the_blank_takes_a_place_among_the_characters(blank: int, labels: list[int]) -> None:
    assert Alphabet("abc", blank).encode("abc") == labels


def test_of_sorts_and_names_each_once() -> None:
    assert Alphabet.of(["ba", "cab", ""]) == Alphabet("abc")


def test_space() -> None:
    assert Alphabet("a b").space == 2
    assert Alphabet("ab").space is None


def test_covers() -> None:
    alphabet = Alphabet("abc")
    assert alphabet.covers("cab")
    assert alphabet.covers("")
    assert not alphabet.covers("cabd")
    with pytest.raises(KeyError):
        alphabet.encode("d")


@pytest.mark.parametrize(
    ("characters", "blank", "reason"),
    [
        ("", 0, "at least one"),
        ("aba", 0, "once"),
        ("ab", 3, "between 0 and 2"),
        ("ab", -1, "blank"),
    ],
)
def test_what_is_no_alphabet(characters: str, blank: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Alphabet(characters, blank)


def test_texts_are_normalised() -> None:
    assert normalise("  a\tb\u00a0\n c ") == "a b c"
    assert normalise("cafe\u0301") == "caf\u00e9"
    assert normalise(" ") == ""
