"""Reading a set of samples as the service would, and judging what was read."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from recognizer.errors import ImageError
from recognizer.recognizer import Decoder, Recognizer
from trainer.datasets.base import Sample
from trainer.metrics import Scores, score

log = logging.getLogger(__name__)

CHUNK = 64


@dataclass(frozen=True)
class Judged:
    """A sample and what was read in it."""

    sample: Sample
    text: str
    confidence: float

    @property
    def edits(self) -> int:
        return Levenshtein.distance(self.sample.text, self.text)


@dataclass(frozen=True)
class Evaluation:
    """Readings of a set; images that could not be read as images are only counted."""

    judged: tuple[Judged, ...]
    unreadable: int

    @property
    def scores(self) -> Scores:
        return score((each.sample.text, each.text) for each in self.judged)

    def worst(self, count: int) -> list[Judged]:
        """The readings with the most edits for their length."""
        return sorted(
            self.judged, key=lambda each: (-each.edits / len(each.sample.text), each.sample.id)
        )[:count]

    def confusions(self) -> Counter[tuple[str, str]]:
        """(true, read) -> count, of characters replaced, missed (read is empty) or added."""
        found: Counter[tuple[str, str]] = Counter()
        for each in self.judged:
            truth, text = each.sample.text, each.text
            for edit in Levenshtein.editops(truth, text):
                true = "" if edit.tag == "insert" else truth[edit.src_pos]
                read = "" if edit.tag == "delete" else text[edit.dest_pos]
                found[true, read] += 1
        return found


def evaluate(
    recognizer: Recognizer,
    samples: Sequence[Sample],
    *,
    decoder: Decoder = "greedy",
    progress: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Read samples with a bundle, image by image as the API does.

    Args:
        progress: told how many samples are done.
    """
    judged: list[Judged] = []
    unreadable = 0
    for first in range(0, len(samples), CHUNK):
        usable, images = [], []
        for sample in samples[first : first + CHUNK]:
            try:
                images.append(sample.image())
                usable.append(sample)
            except (ImageError, OSError) as error:
                log.warning("%s is skipped: %s", sample.id, error)
                unreadable += 1
        for sample, reading in zip(usable, recognizer.read(images, decoder=decoder), strict=True):
            judged.append(Judged(sample, reading.text, reading.confidence))
        progress(min(first + CHUNK, len(samples)))
    return Evaluation(tuple(judged), unreadable)
