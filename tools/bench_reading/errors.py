"""What goes wrong in readings: which characters, of which kind, in lines of which length."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from tools.bench_reading.record import Line, Record
from trainer.evaluation import confusions
from trainer.metrics import Interval, Scores, cer_interval, score

CLASSES = ("letters", "capitals", "accented", "digits", "punctuation", "spaces")
LENGTHS = (10, 20, 30, 40, 50, 60)
"""Longest line of each length but the last, in characters."""


@dataclass(frozen=True)
class Slice:
    """Some of the lines, and how they were read."""

    name: str
    scores: Scores
    interval: Interval


@dataclass(frozen=True)
class Kind:
    """Characters of one class: how many there are, and how many were lost or made up."""

    name: str
    characters: int
    replaced: int
    missed: int
    added: int

    @property
    def rate(self) -> float:
        """Share of the true characters that were replaced or missed."""
        return (self.replaced + self.missed) / max(self.characters, 1)


def class_of(character: str) -> str:
    """One of `CLASSES`. A capital with an accent counts as accented."""
    if character.isspace():
        return "spaces"
    if character.isalpha():
        if len(unicodedata.normalize("NFD", character)) > 1 or character in "œŒæÆøØßłŁðÐþÞ":
            return "accented"
        return "capitals" if character.isupper() else "letters"
    return "digits" if character.isnumeric() else "punctuation"


def by_class(pairs: Sequence[tuple[str, str]]) -> list[Kind]:
    """Every class that occurs, in the order of `CLASSES`."""
    there: Counter[str] = Counter()
    done: Counter[tuple[str, str]] = Counter()
    for truth, text in pairs:
        there.update(map(class_of, truth))
        for edit in Levenshtein.editops(truth, text):
            character = text[edit.dest_pos] if edit.tag == "insert" else truth[edit.src_pos]
            done[edit.tag, class_of(character)] += 1
    return [
        Kind(name, there[name], done["replace", name], done["delete", name], done["insert", name])
        for name in CLASSES
        if there[name] or done["insert", name]
    ]


def by_length(lines: Sequence[Line]) -> list[Slice]:
    """Lines of each range of lengths that occurs, the shortest first."""
    bounds = [0, *LENGTHS]
    names = [f"{low + 1} to {high}" for low, high in zip(bounds, LENGTHS, strict=False)]
    groups: dict[str, list[Line]] = {name: [] for name in [*names, f"over {LENGTHS[-1]}"]}
    for line in lines:
        place = sum(len(line.truth) > bound for bound in LENGTHS)
        groups[list(groups)[place]].append(line)
    return [_slice(name, group) for name, group in groups.items() if group]


def by_source(records: Sequence[Record]) -> list[Slice]:
    """Each set, and last all of them as one, which weighs a set by its characters."""
    slices = [_slice(_name(record), record.lines) for record in records]
    if len(records) > 1:
        slices.append(_slice("all", pooled(records)))
    return slices


def pooled(records: Sequence[Record]) -> list[Line]:
    """Lines of several sets; a document of one is never that of another."""
    return [
        line.model_copy(update={"document": f"{record.set}/{line.document}"})
        for record in records
        for line in record.lines
    ]


@dataclass(frozen=True)
class Confusions:
    """The most frequent edits of each kind, with how often they were made."""

    replaced: list[tuple[str, str, int]]
    """(true, read, times)"""
    missed: list[tuple[str, int]]
    added: list[tuple[str, int]]
    edits: int
    """Of every kind and all frequencies together."""


def worst_confusions(pairs: Sequence[tuple[str, str]], most: int = 12) -> Confusions:
    """At most so many of each kind; equally frequent ones in the order of their characters."""
    found = confusions(pairs)
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return Confusions(
        replaced=[(true, read, times) for (true, read), times in ranked if true and read][:most],
        missed=[(true, times) for (true, read), times in ranked if not read][:most],
        added=[(read, times) for (true, read), times in ranked if not true][:most],
        edits=sum(found.values()),
    )


def _slice(name: str, lines: Sequence[Line]) -> Slice:
    pairs = [(line.truth, line.text) for line in lines]
    return Slice(name, score(pairs), cer_interval(pairs, [line.document for line in lines]))


def _name(record: Record) -> str:
    return f"{record.set}, words" if record.level == "word" else record.set
