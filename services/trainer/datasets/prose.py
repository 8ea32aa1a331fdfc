"""Plausible English to write: frequent words, names, numbers, dates, punctuation."""

from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from wordfreq import top_n_list, word_frequency

VOCABULARY = 20_000
NAMES = """
Alice Anna Arthur Charles Clara Daniel David Edward Eliza Ellen Emma Frank George Grace
Hannah Harry Helen Henry Jack James Jane John Joseph Julia Kate Laura Lucy Margaret Maria
Mary Michael Oliver Paul Peter Rachel Robert Rose Samuel Sarah Simon Sophie Thomas Walter
William Bath Boston Bristol Cambridge Dublin Durham Exeter Glasgow Kew Leeds London Oxford
Paris York Brown Carter Clark Cooper Davies Evans Fisher Green Hall Hughes Jones King
Lewis Martin Miller Moore Parker Roberts Smith Taylor Turner Walker White Wilson Wood
Wright Young
""".split()
MONTHS = """
January February March April May June July August September October November December
""".split()
TITLES = ("Mr.", "Mrs.", "Miss", "Dr.", "Sir", "Prof.")


@cache
def _vocabulary() -> tuple[list[str], NDArray[np.float64]]:
    """Words and the cumulated probability up to each."""
    words = [
        word
        for word in top_n_list("en", VOCABULARY)
        if word.isascii() and (len(word) > 1 or word in "ai") and not word.isdigit()
    ]
    # flattened, or every second word would be `the`, `of` or `and`
    weights = np.array([word_frequency(word, "en") for word in words]) ** 0.75
    return words, np.cumsum(weights / weights.sum())


def word(rng: Generator) -> str:
    """A single word as it stands in a text, with its case and now and then its punctuation."""
    token = _token(rng).split()[-1]  # of `Dr. Smith` or `4 May 1850`
    chance = rng.random()
    if chance < 0.12:
        token = token[0].upper() + token[1:]
    elif chance < 0.15:
        token = token.upper()
    return token + str(rng.choice([".", ",", ";", "!", "?"])) if rng.random() < 0.08 else token


def line(rng: Generator, *, shortest: int = 8, longest: int = 60) -> str:
    """A line cut out of running text, `shortest` to about `longest` characters."""
    wanted = int(rng.integers(shortest, longest))
    tokens: list[str] = []
    opening = rng.random() < 0.3
    while len(" ".join(tokens)) < wanted:
        token = _token(rng)
        if opening:
            token = token[0].upper() + token[1:]
        opening = False
        chance = rng.random()
        if chance < 0.07:
            token += ","
        elif chance < 0.13:
            token += str(rng.choice([".", ".", ".", "!", "?"]))
            opening = True
        elif chance < 0.15:
            token += str(rng.choice([";", ":", " -", " &"]))
        elif chance < 0.17:
            opening_mark, closing_mark = [('"', '"'), ("(", ")"), ("'", "'")][rng.integers(3)]
            token = opening_mark + token + closing_mark
        tokens.append(token)
    return " ".join(tokens)


def _token(rng: Generator) -> str:
    chance = rng.random()
    if chance < 0.86:
        words, cumulated = _vocabulary()
        found = words[int(np.searchsorted(cumulated, rng.random() * cumulated[-1]))]
        return "I" if found == "i" else found
    if chance < 0.92:
        return str(rng.choice(NAMES))
    if chance < 0.94:
        return f"{rng.choice(TITLES)} {rng.choice(NAMES)}"
    return _number(rng)


def _number(rng: Generator) -> str:
    day, year = int(rng.integers(1, 29)), int(rng.integers(1780, 2030))
    match int(rng.integers(7)):
        case 0:
            return str(year)
        case 1:
            return f"{day} {rng.choice(MONTHS)} {year}"
        case 2:
            return f"{day}/{rng.integers(1, 13)}/{year % 100:02d}"
        case 3:
            return f"{rng.choice(['£', '$'])}{rng.integers(1, 2000)}"
        case 4:
            return f"{rng.integers(1, 13)}:{rng.integers(0, 60):02d}"
        case 5:
            return f"{rng.integers(1, 100)}.{rng.integers(0, 100):02d}"
        case _:
            return str(rng.integers(0, 1000))
