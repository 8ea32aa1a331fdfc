"""Frequent words, and lines of them, where no running text may be shipped.

Frequencies come from wordfreq (Robyn Speer, data under CC BY-SA 4.0). The lines know words and
how they are written, not how they follow each other.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.random import Generator
from wordfreq import get_frequency_dict

NAMES = {"en": "English", "fr": "French"}
LANGUAGES = tuple(NAMES)
VOCABULARY = 50_000
LINES = 40_000
"""Of each language; about two million characters."""
ELIDED = frozenset("c d j l m n qu s t jusqu lorsqu puisqu quelqu".split())
VOWELS = frozenset("aâàeéèêëiîoôuyhœ")


@cache
def frequencies(language: str) -> Mapping[str, float]:
    """The most frequent words of a language, lower case, and their shares."""
    found = get_frequency_dict(language, wordlist="best")
    words = sorted(found, key=lambda word: -found[word])
    plain = (word for word in words if word.replace("'", "").isalpha())
    return {word: found[word] for word, _ in zip(plain, range(VOCABULARY), strict=False)}


def lines(language: str, count: int = LINES, *, seed: int = 1) -> list[str]:
    """Lines of 4 to 12 words with the frequencies of a language, its case and punctuation."""
    rng = np.random.default_rng(seed)
    words = list(frequencies(language))
    shares = np.array([frequencies(language)[word] for word in words])
    lengths = rng.integers(4, 13, count)
    drawn = rng.choice(len(words), int(lengths.sum()), p=shares / shares.sum())
    marks = rng.random(len(drawn))
    found, at = [], 0
    opening = False
    for length in lengths:
        tokens = []
        for place in range(at, at + length):
            token = _cased(words[drawn[place]], language, rng, opening=opening)
            mark = _mark(marks[place])
            opening = mark in {".", "!", "?"}
            tokens.append(token + mark)
        at += int(length)
        found.append(_joined(tokens, language))
    return found


def _cased(word: str, language: str, rng: Generator, *, opening: bool) -> str:
    chance = rng.random()
    if language == "en" and word.partition("'")[0] == "i":
        return "I" + word[1:]
    if opening or chance < 0.06:
        return word[0].upper() + word[1:]
    if chance < 0.07:
        return word.upper()
    if chance < 0.10:
        return _number(rng)
    return word


def _number(rng: Generator) -> str:
    kind = rng.random()
    if kind < 0.4:
        return str(rng.integers(1, 32))
    if kind < 0.7:
        return str(rng.integers(1780, 2030))
    return str(rng.integers(0, 10 ** int(rng.integers(1, 5))))


def _mark(chance: float) -> str:
    """What follows a word."""
    for mark, share in ((",", 0.05), (".", 0.05), (";", 0.006), (":", 0.006), ("!", 0.003)):
        chance -= share
        if chance < 0:
            return mark
    return "?" if chance < 0.003 else ""


def _joined(tokens: Sequence[str], language: str) -> str:
    if language != "fr":
        return " ".join(tokens)
    text = ""
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else ""
        elided = token.lower() in ELIDED
        if elided and following[:1].lower() in VOWELS:
            text += token + "'"
        elif not elided:  # `l` and `d` are no words of their own
            text += token + " "
    return text.rstrip()
