"""Lexicons: what they cost, and what is refused."""

import gzip
import math
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from recognizer import lexicon, wordlist
from recognizer.alphabet import Alphabet
from recognizer.beam import prefix_beam
from recognizer.errors import BundleError
from recognizer.lexicon import Lexicon, LexiconGuide
from recognizer.wordlist import Block

ALPHABET = Alphabet(" ',.0123456789ABEHNTabehnté", blank=0)
WORDS = {"a": 10, "an": 5, "the": 20, "then": 5, "été": 2}
WHOLE = sum(WORDS.values())
WEIGHT, ESCAPE = 0.5, 4.0


def guide(words: dict[str, int] = WORDS) -> LexiconGuide:
    return LexiconGuide(Lexicon.of(words, ALPHABET), weight=WEIGHT, escape=ESCAPE)


def cost(text: str, words: dict[str, int] = WORDS) -> float:
    """What a guide takes for a whole text."""
    reader = guide(words)
    state, total = reader.start, 0.0
    for label in ALPHABET.encode(text):
        total -= float(reader.scores([state])[0, label])
        state = reader.after(state, label)
    return total - float(reader.scores([state])[0, ALPHABET.blank])


def price(word: str) -> float:
    return -WEIGHT * math.log(WORDS[word] / WHOLE)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_costs_what_it_is_rare(word: str) -> None:
    assert cost(word) == pytest.approx(price(word), abs=1e-4)
    assert cost(word.upper() if word.isascii() else word) == pytest.approx(price(word), abs=1e-4)


@pytest.mark.parametrize("text", ["b", "t", "th", "tha", "thene", "aa", "nnnn", "ét", "Beth"])
def test_any_other_word_costs_the_same(text: str) -> None:
    assert cost(text) == pytest.approx(ESCAPE, abs=1e-4)


@pytest.mark.parametrize("text", ["", "1850", "12.30", " . ", "'"])
def test_what_is_no_word_costs_nothing(text: str) -> None:
    assert cost(text) == 0


def test_words_of_a_line_are_paid_one_by_one() -> None:
    expected = price("the") + ESCAPE + price("a") + price("an")
    assert cost("The 19th a, an.") == pytest.approx(expected, abs=1e-4)


def test_a_lexicon_that_the_alphabet_cannot_write_only_costs() -> None:
    assert cost("the", {"xyz": 3}) == pytest.approx(ESCAPE)
    assert cost("12", {"xyz": 3}) == 0


def test_a_known_word_is_read_where_the_network_hesitates() -> None:
    the, tbe = ALPHABET.encode("the"), ALPHABET.encode("tbe")
    rows = np.full((5, ALPHABET.classes), 1e-6)
    for step, labels in ((0, {the[0]: 1.0}), (2, {the[1]: 0.3, tbe[1]: 0.7}), (4, {the[2]: 1.0})):
        for label, share in labels.items():
            rows[step, label] = share
    rows[[1, 3], ALPHABET.blank] = 1.0
    log_probs = np.log(rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)
    assert ALPHABET.decode(prefix_beam(log_probs, 0)[0][0]) == "tbe"
    assert ALPHABET.decode(prefix_beam(log_probs, 0, guide=guide())[0][0]) == "the"
    # a name that is sure enough stays
    rows[2, the[1]], rows[2, tbe[1]] = 0.001, 0.999
    log_probs = np.log(rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)
    assert ALPHABET.decode(prefix_beam(log_probs, 0, guide=guide())[0][0]) == "tbe"


def test_pieces_are_runs_of_letters_in_lower_case() -> None:
    assert list(lexicon.pieces("L'Été, 19th  co-op ½ Œuf")) == [
        *("l", "été", "th", "co", "op", "œuf")
    ]


def test_words_are_read_as_written_and_the_same_words_make_the_same_bytes(tmp_path: Path) -> None:
    wordlist.write(WORDS, tmp_path / "one.gz")
    wordlist.write(dict(reversed(WORDS.items())), tmp_path / "two.gz")
    assert dict(wordlist.read(tmp_path / "one.gz")) == WORDS
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_a_lexicon_is_opened_without_all_its_words_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = "abehnté"
    words = {"".join(each): 1 + number for number, each in enumerate(product(letters, repeat=5))}
    wordlist.write(words, tmp_path / "words.gz")
    monkeypatch.setattr(wordlist, "AT_ONCE", 5000)
    before = sys.getallocatedblocks()
    most = blocks = 0

    def watched() -> Iterator[Block]:
        nonlocal blocks, most
        for block in wordlist.blocks(tmp_path / "words.gz"):
            blocks += 1
            yield block
            most = max(most, sys.getallocatedblocks() - before)

    opened = Lexicon(watched(), ALPHABET)
    assert blocks > 10
    assert opened.mass(opened.start) == sum(words.values())
    assert most < len(words) / 10  # objects of Python


@pytest.mark.parametrize("at_once", [1, 7, 30, 10**6])
def test_words_are_the_same_however_many_are_looked_at_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    words = {**WORDS, "b" * 24: 123_456_789_012, "b" * 25: 7, "ähn": 3, "œuf": 40, "ab": 100}
    wordlist.write(words, tmp_path / "words.gz")
    monkeypatch.setattr(wordlist, "AT_ONCE", at_once)
    assert dict(wordlist.read(tmp_path / "words.gz")) == words
    opened = Lexicon.load(tmp_path / "words.gz", ALPHABET)
    # ä, œ are not in the alphabet, and a word is too long
    assert opened.mass(opened.start) == WHOLE + 123_456_789_012 + 100


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    (tmp_path / "words.gz").write_bytes(gzip.compress(b"the\t5\nan\t12"))
    assert dict(wordlist.read(tmp_path / "words.gz")) == {"the": 5, "an": 12}


def test_a_lexicon_may_be_empty_where_it_is_in_no_file() -> None:
    assert cost("the", {}) == pytest.approx(ESCAPE)
    with pytest.raises(ValueError, match="lower case"):
        Lexicon.of({"The": 3}, ALPHABET)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no words"),
        ("the\n", "line 1: 'the' is no word"),
        ("a\t1\nthe\tmany\n", "line 2"),
        ("the\t0\n", "line 1"),
        ("don't\t3\n", "line 1"),
        ("a\t1\nan\t2\nthe\t\n", "line 3: 'the.t' is no word"),
        ("a\t1\nan\t2\tthe\t2\n", "line 2"),
        ("a\t1\nan\n\tthe\t2\n", "line 2: 'an' is no word"),
        ("a\t1\n\nan\t2\n", "line 2: '' is no word"),
        ("a\t1\n\t3\n", "line 2"),
        ("a\t1\nan\t00\n", "line 2"),
        ("a\t1\nan\t\u0663\n", "line 2"),
        ("a\t1\nan \t3\n", "line 2"),
        ("\n", "line 1: '' is no word"),
        (f"a\t1\nan\t{'9' * 16}\n", "line 2"),
        (f"a\t1\nan\t{'0' * 400}1\n", "line 2"),
        (f"a\t1\n{'a' * 100_000}\t1\n", "more than 1000 characters"),
        ("a\t1\n\u01c5\t3\n", "lower case"),
        ("The\t3\n", "lower case"),
        ("a\t1\nthe\t5\nan\t1\nthe\t2\n", "has 'the' more than once"),
    ],
)
def test_what_is_no_lexicon_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "words.gz"
    file.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(BundleError, match=says):
        Lexicon.load(file, ALPHABET)


@pytest.mark.parametrize(
    "data", [b"", b"plain text", gzip.compress(b"\xff\t1\n", mtime=0), b"\x1f\x8b\x08"]
)
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "words.gz").write_bytes(data)
    with pytest.raises(BundleError, match=r"words\.gz"):
        list(wordlist.read(tmp_path / "words.gz"))


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.gz").write_bytes(gzip.compress(b"a" * (wordlist.MOST_BYTES + 1)))
    with pytest.raises(BundleError, match="unpacks to more"):
        list(wordlist.read(tmp_path / "words.gz"))
