"""Samples that are drawn when they are asked for. In a module that worker processes find."""

from collections.abc import Sequence
from dataclasses import dataclass

from pictures import scrawl
from recognizer.image import Gray
from trainer.datasets.base import Sample


@dataclass(frozen=True)
class Scrawl:
    """A sample of this width and of a text that has nothing to do with it."""

    id: str
    text: str
    width: int
    document: str = "scrawls"

    def image(self) -> Gray:
        if self.width < 0:
            raise RuntimeError("of no kind that anybody expected")
        return scrawl(self.width, height=32, seed=int(self.id))


def scrawls(count: int, widths: Sequence[int] = (60, 100, 200, 400)) -> list[Sample]:
    return [
        Scrawl(str(number), "ab" * (1 + number % 3), widths[number % len(widths)])
        for number in range(count)
    ]
