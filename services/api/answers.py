"""From what the recognizer read to what the API answers.

As dicts, which `api.schemas` describes and the framework checks: to make a model of each line and
each word takes several times as long as writing them out.
"""

import time
from typing import Any

from api import schemas
from api.job import Read, ReadLine
from recognizer.layout import Points
from recognizer.placing import placed, rounded
from recognizer.reading import joint_confidence

Fields = dict[str, Any]


def reading(read: Read) -> Fields:
    """Of a `schemas.Reading`: what was read, its lines in reading order."""
    lines = [_line(read, each) for each in read.lines]
    return {
        "text": "\n".join(line["text"] for line in lines),
        "confidence": rounded(joint_confidence([each.reading for each in read.lines])),
        "level": read.level,
        "decoder": read.decoder,
        "width": read.width,
        "height": read.height,
        "lines": lines,
        "alternatives": lines[0]["alternatives"] if read.level != "page" else [],
    }


def prediction(read: Read, model: schemas.ModelName, request_id: str, started: float) -> Fields:
    """Of a `schemas.Prediction`: the answer to a request for one image.

    Args:
        started: when the request began, of `time.perf_counter`.
    """
    answer = reading(read)
    answer["model"] = model
    answer["request_id"] = request_id
    answer["timing_ms"] = {
        "decode": milliseconds(read.decode_seconds),
        "recognise": milliseconds(read.recognise_seconds),
        "total": milliseconds(time.perf_counter() - started),
    }
    return answer


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _line(read: Read, line: ReadLine) -> Fields:
    where = placed(line.reading, line.found, read.width, read.height)
    return {
        "box": where.box,
        "polygon": _points(where.polygon),
        "baseline": _points(where.baseline) or None,
        "text": where.text,
        "confidence": where.confidence,
        "words": [
            {"text": word.text, "box": word.box, "confidence": word.confidence}
            for word in where.words
        ],
        "alternatives": [
            {"text": each.text, "confidence": rounded(each.confidence)}
            for each in line.reading.alternatives
        ],
    }


def _points(points: Points) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in points]
