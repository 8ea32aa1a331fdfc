"""What was read in one image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from recognizer.alphabet import SPACE
from recognizer.manifest import Calibration


# tuples, since there are many: to make a frozen dataclass takes four times as long
class Character(NamedTuple):
    """One character, the columns of the image it was read from, and its confidence."""

    text: str
    confidence: float
    left: float
    right: float


class Word(NamedTuple):
    """Characters between two spaces, with the columns of the image they take."""

    text: str
    confidence: float
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another text for the same image. `confidence` is the text's share among all texts."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of one image of a word or a line.

    Confidences lie between 0 and 1. A character's is its calibrated probability; a word's
    and a line's are the geometric mean of their characters', so that long lines are not
    punished for their length. An image without writing has no characters; its confidence
    is then the geometric mean of the blank's probability over the time steps.
    """

    text: str
    confidence: float
    characters: tuple[Character, ...]
    alternatives: tuple[Alternative, ...] = ()

    @property
    def words(self) -> tuple[Word, ...]:
        words: list[Word] = []
        current: list[Character] = []
        for character in (*self.characters, Character(SPACE, 1.0, 0, 0)):
            if character.text != SPACE:
                current.append(character)
            elif current:
                words.append(
                    Word(
                        "".join(each.text for each in current),
                        mean_confidence([each.confidence for each in current]),
                        current[0].left,
                        current[-1].right,
                    )
                )
                current = []
        return tuple(words)


def joint_confidence(lines: Sequence[Reading]) -> float:
    """Of a page: the mean of all its characters'; of one line or word its own; of nothing 1."""
    if len(lines) == 1:
        return lines[0].confidence
    characters = [each.confidence for line in lines for each in line.characters]
    if not characters:  # that there is nothing to read
        return min((line.confidence for line in lines), default=1.0)
    return mean_confidence(characters)


def mean_confidence(confidences: list[float]) -> float:
    """Geometric mean; 1 for none."""
    if not confidences:
        return 1.0
    return math.exp(sum(math.log(max(c, 1e-9)) for c in confidences) / len(confidences))


def calibrated(confidence: float, calibration: Calibration | None) -> float:
    """A confidence as `Calibration` puts it right, or as it is."""
    if calibration is None:
        return confidence
    bounded = min(max(confidence, 1e-6), 1 - 1e-6)
    odds = calibration.right * math.log(bounded) - calibration.wrong * math.log(1 - bounded)
    return 1 / (1 + math.exp(-min(max(odds + calibration.offset, -50), 50)))
