"""How well texts were read."""

from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein


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
