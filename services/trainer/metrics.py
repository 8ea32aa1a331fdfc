"""How well texts were read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from rapidfuzz.distance import Levenshtein

FEWEST_DOCUMENTS = 5
"""With fewer documents than this an interval is taken over lines: there is too little to draw."""


@dataclass(frozen=True)
class Scores:
    """Of a set of readings against their truths.

    `cer`: edit distance over reference characters, both summed over the set. `wer`: the same
    over words, split on spaces. `edit_distance`: mean edit distance of a sample, in
    characters. `exact`: share of samples read without a fault.
    """

    cer: float
    wer: float
    edit_distance: float
    exact: float
    samples: int
    characters: int


@dataclass(frozen=True)
class Interval:
    """Where the CER of other samples of the same kind would lie, 95 times of 100.

    `units` says how many lines or documents, by `over`, were drawn from.
    """

    low: float
    high: float
    over: Literal["lines", "documents"]
    units: int


def score(pairs: Iterable[tuple[str, str]]) -> Scores:
    """Scores of (truth, reading) pairs; all rates are 0 for no pairs."""
    samples = characters = words = edits = word_edits = exact = 0
    for truth, reading in pairs:
        samples += 1
        characters += len(truth)
        edits += Levenshtein.distance(truth, reading)
        truth_words, read_words = truth.split(" "), reading.split(" ")
        words += len(truth_words)
        word_edits += Levenshtein.distance(truth_words, read_words)
        exact += truth == reading
    return Scores(
        cer=edits / max(characters, 1),
        wer=word_edits / max(words, 1),
        edit_distance=edits / max(samples, 1),
        exact=exact / max(samples, 1),
        samples=samples,
        characters=characters,
    )


def cer_interval(
    pairs: Sequence[tuple[str, str]],
    documents: Sequence[str],
    *,
    rounds: int = 2000,
    seed: int = 0,
) -> Interval:
    """95 % bootstrap interval of the CER (Efron 1979; the percentile method).

    Lines of one letter are alike, so documents are drawn where there are several; lines
    where there are fewer than `FEWEST_DOCUMENTS`, which leaves out how documents differ.

    Args:
        pairs: (truth, reading) of each line.
        documents: the document of each line.
        rounds: how many sets of the same size are drawn.
    """
    names = sorted(set(documents))
    # a set that names no documents gives each line one of its own
    by_document = FEWEST_DOCUMENTS <= len(names) < len(documents)
    place = {name: index for index, name in enumerate(names)}
    units = len(names) if by_document else len(pairs)
    if not units:
        return Interval(0.0, 0.0, "lines", 0)
    edits, characters = np.zeros(units), np.zeros(units)
    for line, ((truth, reading), document) in enumerate(zip(pairs, documents, strict=True)):
        unit = place[document] if by_document else line
        edits[unit] += Levenshtein.distance(truth, reading)
        characters[unit] += len(truth)
    rng = np.random.default_rng(seed)
    rates = np.empty(rounds)
    for number in range(rounds):
        drawn = rng.integers(units, size=units)
        rates[number] = edits[drawn].sum() / max(characters[drawn].sum(), 1)
    low, high = np.percentile(rates, (2.5, 97.5))
    return Interval(float(low), float(high), "documents" if by_document else "lines", units)
