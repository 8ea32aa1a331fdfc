"""N-gram models estimated from text."""

from collections.abc import Sequence

import numpy as np
import pytest

from recognizer.alphabet import Alphabet
from recognizer.language import LanguageModel, Ngrams
from trainer.decoding import vocabulary
from trainer.decoding.language import estimate

ALPHABET = Alphabet(" abcdefghijklmnopqrstuvwxyz")
LINES = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "a cat and a dog ran to the man",
    "then the man sat and the cat ran",
    "no man ran on a mat or a log",
] * 4


def bits(model: Ngrams, lines: Sequence[str]) -> float:
    """Bits a character, the end of a line being one."""
    reader = LanguageModel(model, ALPHABET)
    total = sum(reader.score(ALPHABET.encode(line)) for line in lines)
    return -total / sum(len(line) + 1 for line in lines) / float(np.log(2))


def states(model: LanguageModel, lines: Sequence[str]) -> set[int]:
    found = set()
    for line in lines:
        state = model.start
        for label in ALPHABET.encode(line):
            found.add(state)
            state = int(model.row(state)[1][label])
    return found


@pytest.mark.parametrize("most", [100_000, 120])
def test_every_state_spreads_a_probability_of_one(most: int) -> None:
    model = LanguageModel(estimate(LINES, order=5, most=most), ALPHABET)
    seen = ALPHABET.encode(sorted(set("".join(LINES))))
    for state in states(model, [*LINES, "zebra xylophone"]):
        scores, _ = model.row(state)
        whole = np.exp(scores[[ALPHABET.blank, *seen]]).sum()
        # logarithms are stored in steps of a sixteenth
        assert whole == pytest.approx(1, abs=0.05)


def test_text_like_that_learnt_from_is_likelier() -> None:
    model = estimate(LINES, order=5)
    assert bits(model, ["the man sat on a mat"]) < 2 < bits(model, ["qwx zzk vvp jjq"])


def test_longer_contexts_tell_more() -> None:
    held = ["the cat sat on the log", "a man and a dog"]
    found = [bits(estimate(LINES, order=order), held) for order in (2, 3)]
    assert found == sorted(found, reverse=True)


def test_a_pruned_model_is_smaller_and_not_much_worse() -> None:
    whole = estimate(LINES, order=6)
    half = len(whole.symbols) // 2
    pruned = estimate(LINES, order=6, most=half)
    assert half * 0.8 < len(pruned.symbols) <= half + 1
    held = ["the cat sat on the log"]
    assert bits(pruned, held) < bits(whole, held) + 1
    assert bits(pruned, held) < bits(estimate(LINES, order=2), held)


def test_a_weight_counts_as_repetition() -> None:
    lines = ["ab ba", "cd dc"]
    weighted = estimate(lines, order=3, weights=[5, 1])
    repeated = estimate(["ab ba"] * 5 + ["cd dc"], order=3)
    np.testing.assert_array_equal(weighted.symbols, repeated.symbols)
    np.testing.assert_array_equal(weighted.scores, repeated.scores)


def test_no_text_and_odd_orders_are_refused() -> None:
    with pytest.raises(ValueError, match="no text"):
        estimate([])
    with pytest.raises(ValueError, match="between 2 and 8"):
        estimate(["a"], order=9)


@pytest.mark.parametrize("language", vocabulary.LANGUAGES)
def test_drawn_lines_have_the_words_of_their_language(language: str) -> None:
    lines = vocabulary.lines(language, 200)
    assert lines == vocabulary.lines(language, 200)
    found = "".join(c if c.isalpha() else " " for c in " ".join(lines)).lower().split()
    common = {"en": "the", "fr": "de"}[language]
    share = found.count(common) / len(found)
    assert share == pytest.approx(vocabulary.frequencies(language)[common], rel=0.6)
    assert any(line[0].isupper() for line in lines)
    assert all(line == line.strip() and "  " not in line for line in lines)
