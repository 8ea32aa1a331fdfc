"""From what the recognizer read to what the API answers."""

import math

from api import schemas
from api.job import Read
from recognizer.reading import Word as ReadWord


def reading(read: Read) -> schemas.Reading:
    """An image of a word or a line has one line, and its box is the whole image."""
    found = read.reading
    line = schemas.Line(
        box=(0, 0, read.width, read.height),
        text=found.text,
        confidence=_rounded(found.confidence),
        words=[_word(each, read.height) for each in found.words],
    )
    return schemas.Reading(
        text=found.text,
        confidence=line.confidence,
        lines=[line],
        alternatives=[
            schemas.Alternative(text=each.text, confidence=_rounded(each.confidence))
            for each in found.alternatives
        ],
    )


def timing(read: Read, total_seconds: float) -> schemas.Timing:
    return schemas.Timing(
        decode=milliseconds(read.decode_seconds),
        recognise=milliseconds(read.recognise_seconds),
        total=milliseconds(total_seconds),
    )


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _word(word: ReadWord, height: int) -> schemas.Word:
    return schemas.Word(
        text=word.text,
        box=(math.floor(word.left), 0, math.ceil(word.right), height),
        confidence=_rounded(word.confidence),
    )


def _rounded(confidence: float) -> float:
    # float32 probabilities can sum to a hair above 1
    return round(min(max(confidence, 0.0), 1.0), 4)
