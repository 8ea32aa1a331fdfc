"""Pages read from end to end, beside the lines that people marked on them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from recognizer.course import CutError
from recognizer.cut import cut, usual_reach
from recognizer.layout import Points
from recognizer.page import FoundLine
from recognizer.recognizer import Decoder, Recognizer
from trainer.detector.pages import Page, PageFile
from trainer.detector.scores import Found, compare, lie_on

BOUND, BASELINE, GIVEN = (40, 40, 220), (220, 120, 20), (60, 180, 60)
"""Colours of pictures, each as blue, green and red."""


@dataclass(frozen=True)
class PageScores:
    """What was found and read on pages.

    `page_errors` are edits between the texts of whole pages, lines in reading order with a line
    feed between; `line_errors` those of the lines that people marked; `characters` and
    `page_characters` what they are shares of.
    """

    found: Found = field(default_factory=Found)
    page_errors: int = 0
    page_characters: int = 0
    line_errors: int = 0
    characters: int = 0

    def __add__(self, other: "PageScores") -> "PageScores":
        return PageScores(
            self.found + other.found,
            self.page_errors + other.page_errors,
            self.page_characters + other.page_characters,
            self.line_errors + other.line_errors,
            self.characters + other.characters,
        )

    @property
    def page_cer(self) -> float:
        return self.page_errors / max(self.page_characters, 1)

    @property
    def line_cer(self) -> float:
        return self.line_errors / max(self.characters, 1)


def evaluate(
    recognizer: Recognizer,
    files: Sequence[PageFile],
    *,
    decoder: Decoder = "greedy",
    pictures: Path | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> PageScores:
    """Find and read the lines of pages whose lines and texts are known.

    Lines without an outline are no part of it. Those that nobody transcribed count as found or
    missed, and what is read there counts for nothing.

    Args:
        pictures: a folder for a picture of each page: found in red, marked in green.

    Raises:
        ImageError, LayoutError: a page that cannot be opened.
    """
    scores = PageScores()
    for done, file in enumerate(files, 1):
        page = file.open()
        found = recognizer.lines(page.pixels)
        scores += _read(recognizer, page, found, decoder)
        if pictures:
            pictures.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(pictures / f"{file.picture.stem}.png"), _drawn(page, found))
        progress(done)
    return scores


def _read(
    recognizer: Recognizer, page: Page, found: Sequence[FoundLine], decoder: Decoder
) -> PageScores:
    height, width = page.pixels.shape
    usual = usual_reach(page.lines, height)
    given, truths = [], []
    for line, text in zip(page.lines, page.texts, strict=True):
        with suppress(CutError):
            if text:
                given.append(cut(page.pixels, line, usual).pixels)
                truths.append(text)
    untold = [line for line, text in zip(page.lines, page.texts, strict=True) if not text]
    without = lie_on([each.line for each in found], untold, (height, width))
    told = [each for each, out in zip(found, without, strict=True) if not out]
    texts = [
        [reading.text for reading in recognizer.read(images, level="line", decoder=decoder)]
        for images in ([each.strip.pixels for each in told], given)
    ]
    truth, read = "\n".join(truths), "\n".join(texts[0])
    return PageScores(
        compare([each.line for each in found], page.lines, (height, width)),
        Levenshtein.distance(read, truth),
        len(truth),
        sum(Levenshtein.distance(a, b) for a, b in zip(texts[1], truths, strict=True)),
        sum(map(len, truths)),
    )


def _drawn(page: Page, found: Sequence[FoundLine]) -> NDArray[np.uint8]:
    picture = cv2.cvtColor(page.pixels, cv2.COLOR_GRAY2BGR)

    def draw(points: Points, colour: tuple[int, int, int], *, closed: bool) -> None:
        cv2.polylines(picture, [np.rint(np.array(points)).astype(np.int32)], closed, colour, 2)

    for line in page.lines:
        draw(line.polygon, GIVEN, closed=True)
    for number, each in enumerate(found, 1):
        draw(each.line.polygon, BOUND, closed=True)
        draw(each.line.baseline, BASELINE, closed=False)
        x, y = (int(value) for value in each.line.baseline[0])
        cv2.putText(picture, str(number), (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.7, BOUND, 2)
    return np.asarray(picture, np.uint8)
