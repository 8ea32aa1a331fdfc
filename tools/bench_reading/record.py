"""What was read, as it is kept: every reading of a run, so that tables need no second reading."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tools.bench_reading.problem import Problem
from trainer.datasets.base import Split
from trainer.metrics import Interval, Scores, cer_interval, score


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Line(_Kept):
    """One sample and what was read in it."""

    id: str
    document: str
    truth: str
    text: str


class Record(_Kept):
    """One reader on one set. `seconds` is the time of reading alone, without starting up."""

    reader: str
    decoder: str
    set: str
    level: Literal["word", "line"]
    language: str
    seconds: float
    unreadable: int
    lines: tuple[Line, ...]

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


class LeftOut(_Kept):
    """A reader that did not read: all sets, or the one named."""

    reader: str
    set: str | None
    reason: str


class Run(BaseModel):
    """All readings made by one command, in their order."""

    model_config = ConfigDict(extra="forbid")

    command: str
    date: str
    machine: str
    split: Split
    limit: int | None
    readers: dict[str, str]
    """Name of a reader -> what exactly it is."""
    records: list[Record] = []
    left_out: list[LeftOut] = []

    def save(self, file: Path) -> None:
        """Write the run; what was there before stays until the new one is whole."""
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        new.replace(file)

    @classmethod
    def load(cls, file: Path) -> "Run":
        """Raises `Problem` where there is none, or one of another version."""
        try:
            return cls.model_validate_json(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise Problem(f"There are no readings in {file}. Read first, without --remake.") from (
                None
            )
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise Problem(
                f"{file} cannot be used ({reason}). Read anew, without --remake."
            ) from error
