"""From what the recognizer read to what the API answers."""

import time
from typing import Any

from api import schemas
from api.job import Read, ReadLine
from recognizer.layout import Points
from recognizer.placing import placed, rounded
from recognizer.reading import joint_confidence


def reading(read: Read) -> schemas.Reading:
    """What was read, its lines in reading order."""
    return schemas.Reading(**_fields(read))


def prediction(
    read: Read, model: schemas.ModelName, request_id: str, started: float
) -> schemas.Prediction:
    """The answer to a request for one image, begun at `started` of `time.perf_counter`."""
    return schemas.Prediction(
        **_fields(read),
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


def _fields(read: Read) -> dict[str, Any]:
    """Of a `schemas.Reading`."""
    lines = [_line(read, each) for each in read.lines]
    return {
        "text": "\n".join(line.text for line in lines),
        "confidence": rounded(joint_confidence([each.reading for each in read.lines])),
        "level": read.level,
        "decoder": read.decoder,
        "width": read.width,
        "height": read.height,
        "lines": lines,
        "alternatives": lines[0].alternatives if read.level != "page" else [],
    }


def _line(read: Read, line: ReadLine) -> schemas.Line:
    where = placed(line.reading, line.found, read.width, read.height)
    return schemas.Line(
        box=where.box,
        polygon=_points(where.polygon),
        baseline=_points(where.baseline) or None,
        text=where.text,
        confidence=where.confidence,
        words=[
            schemas.Word(text=word.text, box=word.box, confidence=word.confidence)
            for word in where.words
        ],
        alternatives=[
            schemas.Alternative(text=each.text, confidence=rounded(each.confidence))
            for each in line.reading.alternatives
        ],
    )


def _points(points: Points) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in points]
