"""The error analysis against counts made by hand."""

import pytest

from tools.bench_reading import errors
from tools.bench_reading.errors import Kind
from tools.bench_reading.record import Line, Record


def lines(*pairs: tuple[str, str], document: str = "letter") -> tuple[Line, ...]:
    return tuple(
        Line(id=str(number), document=document, truth=truth, text=text)
        for number, (truth, text) in enumerate(pairs)
    )


def record(name: str, *pairs: tuple[str, str]) -> Record:
    return Record(
        reader="starter",
        decoder="greedy",
        set=name,
        level="line",
        language="eng",
        seconds=2.0,
        unreadable=0,
        lines=lines(*pairs),
    )


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("a", "letters"),
        ("\u017f", "letters"),
        ("A", "capitals"),
        ("é", "accented"),
        ("É", "accented"),
        ("œ", "accented"),
        ("7", "digits"),
        ("½", "digits"),
        ("&", "punctuation"),
        ("\u2019", "punctuation"),
        (" ", "spaces"),
        ("\u00a0", "spaces"),
    ],
)
def test_each_character_is_of_one_class(character: str, name: str) -> None:
    assert errors.class_of(character) == name


def test_what_is_lost_counts_for_the_true_class_and_what_is_added_for_the_read_one() -> None:
    found = errors.by_class([("Été 12", "Ete 1"), ("ab", "ab.")])
    assert found == [
        Kind("letters", characters=3, replaced=0, missed=0, added=0),
        Kind("accented", characters=2, replaced=2, missed=0, added=0),
        Kind("digits", characters=2, replaced=0, missed=1, added=0),
        Kind("punctuation", characters=0, replaced=0, missed=0, added=1),
        Kind("spaces", characters=1, replaced=0, missed=0, added=0),
    ]
    assert [kind.rate for kind in found] == [0, 1, 0.5, 0, 0]


def test_lengths_end_where_their_names_say() -> None:
    texts = ["a" * length for length in (1, 10, 11, 60, 61, 200)]
    found = errors.by_length(lines(*((text, "") for text in texts)))
    assert [(each.name, each.scores.samples) for each in found] == [
        ("1 to 10", 2),
        ("11 to 20", 1),
        ("51 to 60", 1),
        ("over 60", 2),
    ]
    assert found[0].scores.cer == 1


def test_all_sources_together_weigh_by_characters() -> None:
    found = errors.by_source([record("a", ("abcd", "abcd")), record("b", ("xx", "yy"))])
    assert [(each.name, each.scores.cer) for each in found] == [
        ("a", 0),
        ("b", 1),
        ("all", pytest.approx(2 / 6)),
    ]


def test_documents_of_two_sets_stay_apart() -> None:
    pooled = errors.pooled([record("a", ("x", "x")), record("b", ("y", "y"))])
    assert [line.document for line in pooled] == ["a/letter", "b/letter"]


def test_confusions_are_ranked_by_kind() -> None:
    found = errors.worst_confusions([("aab", "oob"), ("ab", "a"), ("b", "bc"), ("x", "y")], most=1)
    assert found.replaced == [("a", "o", 2)]
    assert found.missed == [("b", 1)]
    assert found.added == [("c", 1)]
    assert found.edits == 5
