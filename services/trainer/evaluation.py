"""Reading a set of samples as the service would, and judging what was read."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from recognizer.errors import ImageError
from recognizer.recognizer import Decoder, Level, Recognizer
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
        return confusions((each.sample.text, each.text) for each in self.judged)


def confusions(pairs: Iterable[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Of (truth, reading) pairs: (true, read) -> count, with "" for missed and for added."""
    found: Counter[tuple[str, str]] = Counter()
    for truth, text in pairs:
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
    level: Level = "auto",
    progress: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Read samples with a bundle, image by image as the API does.

    Args:
        level: `word` forbids spaces.
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
        readings = recognizer.read(images, level=level, decoder=decoder)
        for sample, reading in zip(usable, readings, strict=True):
            judged.append(Judged(sample, reading.text, reading.confidence))
        progress(min(first + CHUNK, len(samples)))
    return Evaluation(tuple(judged), unreadable)
