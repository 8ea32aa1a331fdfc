"""From what the recognizer read to what the API answers."""

import math
import time

from api import schemas
from api.job import Read, ReadLine
from recognizer.layout import Points
from recognizer.page import FoundLine
from recognizer.reading import Word as ReadWord
from recognizer.reading import joint_confidence


def reading(read: Read) -> schemas.Reading:
    """What was read, its lines in reading order."""
    lines = [_line(each, read.width, read.height) for each in read.lines]
    return schemas.Reading(
        text="\n".join(line.text for line in lines),
        confidence=_rounded(joint_confidence([each.reading for each in read.lines])),
        level=read.level,
        lines=lines,
        alternatives=lines[0].alternatives if read.level != "page" else [],
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


def _line(line: ReadLine, width: int, height: int) -> schemas.Line:
    """Where a line lies: on its page, or it is the whole image."""
    found, text = line.found, line.reading
    if found:
        left, top, right, bottom = found.line.box
        box = math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)
        polygon, baseline = _points(found.line.polygon), _points(found.line.baseline)
    else:
        box = (0, 0, width, height)
        polygon, baseline = [(0, 0), (width, 0), (width, height), (0, height)], None
    return schemas.Line(
        box=box,
        polygon=polygon,
        baseline=baseline,
        text=text.text,
        confidence=_rounded(text.confidence),
        words=[_word(each, found, width, height) for each in text.words],
        alternatives=[
            schemas.Alternative(text=each.text, confidence=_rounded(each.confidence))
            for each in text.alternatives
        ],
    )


def _word(word: ReadWord, found: FoundLine | None, width: int, height: int) -> schemas.Word:
    if found:
        left, top, right, bottom = found.strip.box(word.left, word.right)
        box = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    else:
        box = math.floor(word.left), 0, math.ceil(word.right), height
    return schemas.Word(text=word.text, box=box, confidence=_rounded(word.confidence))


def _points(points: Points) -> list[tuple[int, int]]:
    return [(round(x), round(y)) for x, y in points]


def _rounded(confidence: float) -> float:
    # float32 probabilities can sum to a hair above 1
    return round(min(max(confidence, 0.0), 1.0), 4)
