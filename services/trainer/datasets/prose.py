"""Plausible text to write: frequent words, names, numbers, dates and punctuation.

In several languages of the Latin script. Words follow the frequencies of wordfreq.
"""

import re
from dataclasses import dataclass
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
LETTERS = re.compile(r"[a-zà-öø-ÿœ]+(?:['-][a-zà-öø-ÿœ]+)*")


@dataclass(frozen=True)
class Language:
    """What a text needs beside the words: their share of all texts, months, titles, elisions."""

    code: str
    share: float
    months: tuple[str, ...]
    titles: tuple[str, ...]
    elided: tuple[str, ...] = ()
    """Words that lose their vowel before another: written with an apostrophe and no space."""


def _language(code: str, share: float, months: str, titles: str, elided: str = "") -> Language:
    return Language(
        code, share, tuple(months.split()), tuple(titles.split()), tuple(elided.split())
    )


ENGLISH = _language(
    "en",
    0.7,
    "January February March April May June July August September October November December",
    "Mr. Mrs. Miss Dr. Sir Prof.",
)
LANGUAGES = (
    ENGLISH,
    _language(
        "fr",
        0.14,
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "M. Mme Mlle Dr Monsieur Madame",
        "l d qu c j n s m",
    ),
    _language(
        "de",
        0.06,
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "Herr Frau Dr. Prof.",
    ),
    _language(
        "es",
        0.04,
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "Sr. Sra. Don Doña Dr.",
    ),
    _language(
        "it",
        0.03,
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
        "dicembre",
        "Sig. Sig.ra Dott. Prof.",
        "l un all dell nell",
    ),
    _language(
        "nl",
        0.03,
        "januari februari maart april mei juni juli augustus september oktober november december",
        "Dhr. Mevr. Dr.",
    ),
)


@cache
def _vocabulary(code: str) -> tuple[list[str], NDArray[np.float64]]:
    """Words and the cumulated probability up to each."""
    short = "ai" if code == "en" else "aàeéioouy"
    words = [
        word
        for word in top_n_list(code, VOCABULARY)
        if LETTERS.fullmatch(word) and (len(word) > 1 or word in short)
    ]
    if code == "en":
        words = [word for word in words if word.isascii()]
    # flattened, or every second word would be `the`, `of` or `and`
    weights = np.array([word_frequency(word, code) for word in words]) ** 0.75
    return words, np.cumsum(weights / weights.sum())


def language(rng: Generator) -> Language:
    """One of `LANGUAGES`, by their shares."""
    chance = rng.random()
    for choice in LANGUAGES:
        chance -= choice.share
        if chance < 0:
            return choice
    return ENGLISH


def word(rng: Generator, tongue: Language = ENGLISH) -> str:
    """A single word as it stands in a text, with its case and now and then its punctuation."""
    token = _token(rng, tongue).split()[-1]  # of `Dr. Smith` or `4 May 1850`
    chance = rng.random()
    if chance < 0.12:
        token = token[0].upper() + token[1:]
    elif chance < 0.15:
        token = _capitals(token)
    return token + str(rng.choice([".", ",", ";", "!", "?"])) if rng.random() < 0.08 else token


def line(
    rng: Generator, tongue: Language = ENGLISH, *, shortest: int = 8, longest: int = 60
) -> str:
    """A line cut out of running text, `shortest` to about `longest` characters."""
    wanted = int(rng.integers(shortest, longest))
    tokens: list[str] = []
    opening = rng.random() < 0.3
    shouting = rng.random() < 0.02
    while len(" ".join(tokens)) < wanted:
        token = _token(rng, tongue)
        if shouting:
            token = _capitals(token)
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


def _capitals(token: str) -> str:
    # ß has no capital of its own, and others have none that is written
    return token.upper() if len(token.upper()) == len(token) else token


def _token(rng: Generator, tongue: Language) -> str:
    chance = rng.random()
    if chance < 0.86:
        found = _word(rng, tongue)
        if tongue is ENGLISH and found == "i":
            return "I"
        if tongue.elided and found[0] in "aeiouyéèêàâîôh" and rng.random() < 0.4:
            return f"{rng.choice(tongue.elided)}'{found}"
        return found
    if chance < 0.92:
        return str(rng.choice(NAMES)) if tongue is ENGLISH else _word(rng, tongue).capitalize()
    if chance < 0.94:
        return f"{rng.choice(tongue.titles)} {rng.choice(NAMES)}"
    return _number(rng, tongue)


def _word(rng: Generator, tongue: Language) -> str:
    words, cumulated = _vocabulary(tongue.code)
    return words[int(np.searchsorted(cumulated, rng.random() * cumulated[-1]))]


def _number(rng: Generator, tongue: Language) -> str:
    day, year = int(rng.integers(1, 29)), int(rng.integers(1780, 2030))
    match int(rng.integers(7)):
        case 0:
            return str(year)
        case 1:
            return f"{day} {rng.choice(tongue.months)} {year}"
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
