"""Which sets are words, which are lines, and in which language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from tools.bench_reading.sets import sets_of
from trainer.datasets.base import Sample, Split


@dataclass(frozen=True)
class Text:
    text: str
    id: str = "one"
    document: str = "letter"

    def image(self) -> None: ...


@dataclass(frozen=True)
class Texts:
    """A dataset of these texts, all to test with."""

    name: str
    texts: Sequence[str]
    licence: str = "none"
    skipped: Mapping[str, int] = field(default_factory=dict)

    def samples(self, split: Split) -> Sequence[Sample]:
        return [Text(text) for text in self.texts] if split == "test" else []  # type: ignore[misc]


@pytest.mark.parametrize(
    ("texts", "level"), [(["one", "two"], "word"), (["one", "two words"], "line")]
)
def test_a_set_without_any_space_is_of_words(texts: list[str], level: str) -> None:
    (found,) = sets_of(Texts("lines/mine", texts), "test", languages={})
    assert (found.name, found.level, found.language) == ("mine", level, "eng")


def test_languages_are_known_by_name_and_can_be_said() -> None:
    copiste = Texts("lines/copiste", ["à b"])
    assert sets_of(copiste, "test", languages={})[0].language == "fra"
    assert sets_of(copiste, "test", languages={"copiste": "deu"})[0].language == "deu"


@pytest.mark.parametrize("name", ["synthetic", "emnist"])
def test_made_samples_are_told_apart_as_words_and_lines(name: str) -> None:
    dataset = Texts(name, ["one", "two words", "three", "four, five"])
    words, lines = sets_of(dataset, "test", languages={}, limit=3)
    assert (words.level, lines.level) == ("word", "line")
    assert [sample.text for sample in words.samples] == ["one", "three"]
    assert [sample.text for sample in lines.samples] == ["two words"]


def test_an_empty_split_makes_no_set() -> None:
    assert sets_of(Texts("lines/mine", ["a"]), "val", languages={}) == []
