"""Single words cut out of transcribed lines, found by aligning each line with its text.

Lines of real hands are easy to come by, single words are not, and a network that only saw
lines reads a word that is cut out tightly at the wrong scale. A network that reads the lines
half well says where their words are: its most probable path through the known text
(Viterbi over the CTC lattice, Graves et al. 2006, section 4.1) passes the spaces.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from recognizer import decode
from recognizer.decode import LogProbs
from recognizer.errors import ImageError
from recognizer.image import Gray
from recognizer.prepare import Prepared, ink_of, prepare
from recognizer.recognizer import Recognizer
from trainer.datasets.base import SPLITS, Dataset, Sample, Split

SURE = 0.5
"""Least mean confidence of a word's characters, and least confidence of the spaces round it."""
CHUNK = 64
FAINT = 0.5  # of one pixel of full ink: a column with less is empty
SPECK = 0.02  # of the height, squared: less ink than that is dirt


@dataclass(frozen=True, slots=True)
class Word:
    """A word between two columns of the image of its line."""

    id: str
    text: str
    line: Sample
    left: int
    right: int

    @property
    def document(self) -> str:
        return self.line.document

    def image(self) -> Gray:
        return tight(self.line.image()[:, self.left : self.right])


class SingleWords:
    """The words of a dataset of lines that the network is sure to have found."""

    def __init__(
        self,
        dataset: Dataset,
        recognizer: Recognizer,
        *,
        splits: Sequence[Split] = SPLITS,
        validation: int | None = None,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Align every line.

        Args:
            splits: the others stay empty.
            validation: words of that split that are kept, drawn at random; None keeps all.
            progress: told how many lines are done.
        """
        self.name = f"{dataset.name}/words"
        self.licence = dataset.licence
        self._skipped: Counter[str] = Counter()
        self._samples: dict[Split, list[Sample]] = {split: [] for split in SPLITS}
        done = 0
        for split in splits:
            lines = dataset.samples(split)
            for first in range(0, len(lines), CHUNK):
                chunk = lines[first : first + CHUNK]
                self._samples[split] += self._words(chunk, recognizer)
                done += len(chunk)
                progress(done)
        held = self._samples["val"]
        if validation is not None and len(held) > validation:
            self._samples["val"] = random.Random(0).sample(held, validation)

    @property
    def skipped(self) -> Mapping[str, int]:
        return self._skipped

    def samples(self, split: Split) -> Sequence[Sample]:
        return self._samples[split]

    def _words(self, lines: Sequence[Sample], recognizer: Recognizer) -> Iterator[Word]:
        usable: list[tuple[Sample, Gray]] = []
        for line in lines:
            if not recognizer.bundle.alphabet.covers(line.text):
                self._skipped["line with characters the network does not know"] += 1
                continue
            try:
                usable.append((line, line.image()))
            except (ImageError, OSError):
                self._skipped["line whose image cannot be read"] += 1
        prepared = [prepare(gray, recognizer.manifest.input) for _, gray in usable]
        found = recognizer.infer(prepared)
        for (line, gray), ready, log_probs in zip(usable, prepared, found, strict=True):
            yield from self._cut(line, gray, ready, log_probs, recognizer)

    def _cut(
        self,
        line: Sample,
        gray: Gray,
        ready: Prepared,
        log_probs: LogProbs,
        recognizer: Recognizer,
    ) -> Iterator[Word]:
        alphabet, stride = recognizer.bundle.alphabet, recognizer.manifest.input.stride
        try:
            spans = decode.align(log_probs, tuple(alphabet.encode(line.text)), alphabet.blank)
        except ValueError:
            self._skipped["line too short for its text"] += 1
            return
        columns = ink_of(gray).sum(axis=0)

        def column(step: float) -> int:
            return round(ready.column(step, stride, gray.shape[1]))

        spaces = [index for index, character in enumerate(line.text) if character == " "]
        cuts = [
            _gap(columns, column(spans[at - 1].stop), column(spans[at + 1].start)) for at in spaces
        ]
        edges = [0, *cuts, gray.shape[1]]
        sure = [True, *(spans[at].confidence >= SURE for at in spaces), True]
        first = 0
        for number, text in enumerate(line.text.split(" ")):
            members = spans[first : first + len(text)]
            first += len(text) + 1
            confidence = float(np.mean([span.confidence for span in members]))
            if not (sure[number] and sure[number + 1] and confidence >= SURE):
                self._skipped["word the network is not sure of"] += 1
            elif edges[number + 1] - edges[number] < gray.shape[0] // 8:
                self._skipped["word without room"] += 1
            else:
                yield Word(f"{line.id}#{number}", text, line, edges[number], edges[number + 1])


def _gap(ink: NDArray[np.float32], left: int, right: int) -> int:
    """Where two words part: the middle of the widest stretch without ink between their letters.

    `left` and `right` are where the network saw the letters on either side.
    """
    left = min(left, len(ink) - 1)
    between = ink[left : max(right, left + 1)]
    empty = between <= between.min() + FAINT
    edges = np.flatnonzero(np.diff(np.r_[False, empty, False]))
    starts, stops = edges[::2], edges[1::2]
    widest = int((stops - starts).argmax())
    return left + int(starts[widest] + stops[widest]) // 2


def tight(gray: Gray) -> Gray:
    """A word cut out round its own ink: what other lines and words reach into it is left out
    of account, as the box of a word in IAM has it.

    Args:
        gray: a piece of a line, dark ink on light paper.
    """
    height, width = gray.shape
    mask = (ink_of(gray) > 0.5).astype(np.uint8)
    count, _, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    kept = []
    for x, y, w, h, area in boxes[1:count]:
        at_edge = y == 0 or y + h == height
        middle = y < 0.65 * height and y + h > 0.35 * height
        if area >= SPECK * SPECK * height * height and (middle or not at_edge):
            kept.append((x, y, x + w, y + h))
    if not kept:
        return gray
    corners = np.array(kept)
    left, top = corners[:, :2].min(axis=0)
    right, bottom = corners[:, 2:].max(axis=0)
    margin = max(1, height // 32)
    return gray[
        max(top - margin, 0) : min(bottom + margin, height),
        max(left - margin, 0) : min(right + margin, width),
    ]
