"""What was read, as it is kept: every reading of a run, so that tables need no second reading."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.bench_reading.kept import Kept
from tools.bench_reading.sets import TestSet
from trainer.datasets.base import Sample, Split
from trainer.metrics import Interval, Scores, cer_interval, score


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Line(_Row):
    """One sample and what was read in it."""

    id: str
    document: str
    truth: str
    text: str


class Record(_Row):
    """One reader on one set. `seconds`: of opening and reading the images, not of starting up."""

    reader: str
    decoder: str
    set: str
    level: Literal["word", "line"]
    language: str
    seconds: float
    unreadable: int
    lines: tuple[Line, ...]

    @classmethod
    def of(
        cls,
        reader: str,
        decoder: str,
        test: TestSet,
        read: Iterable[tuple[Sample, str]],
        seconds: float,
    ) -> "Record":
        """What a reader read in a set; samples without a text were not readable."""
        lines = tuple(
            Line(id=sample.id, document=sample.document, truth=sample.text, text=text)
            for sample, text in read
        )
        return cls(
            reader=reader,
            decoder=decoder,
            set=test.name,
            level=test.level,
            language=test.language,
            seconds=seconds,
            unreadable=len(test.samples) - len(lines),
            lines=lines,
        )

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(line.truth, line.text) for line in self.lines]

    @property
    def scores(self) -> Scores:
        return score(self.pairs)

    @property
    def interval(self) -> Interval:
        return cer_interval(self.pairs, [line.document for line in self.lines])

    @property
    def lines_per_second(self) -> float:
        return len(self.lines) / max(self.seconds, 1e-9)


class LeftOut(_Row):
    """A reader that did not read: all sets, or the one named."""

    reader: str
    set: str | None
    reason: str


class Run(Kept):
    """All readings made by one command, in their order."""

    advice = "Read anew, without --remake."

    command: str
    date: str
    machine: str
    split: Split
    limit: int | None
    readers: dict[str, str]
    """Name of a reader -> what exactly it is."""
    records: list[Record] = Field(default_factory=list)
    left_out: list[LeftOut] = Field(default_factory=list)
