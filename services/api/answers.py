"""From what the recognizer read to what the API answers."""

import math
import time

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


def prediction(
    read: Read, model: schemas.ModelName, request_id: str, started: float
) -> schemas.Prediction:
    """The answer to a request for one image, begun at `started` of `time.perf_counter`."""
    return schemas.Prediction(
        **dict(reading(read)),
        model=model,
        request_id=request_id,
        timing_ms=schemas.Timing(
            decode=milliseconds(read.decode_seconds),
            recognise=milliseconds(read.recognise_seconds),
            total=milliseconds(time.perf_counter() - started),
        ),
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
