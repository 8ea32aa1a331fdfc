"""What one correction holds."""

import hashlib
import json
import unicodedata
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from recognizer.alphabet import normalise
from recognizer.strict import Strict

MOST_LINES = 1000
MOST_CHARACTERS = 1000
MOST_POINTS = 500
MOST_BYTES = 4_000_000
"""Of a correction as JSON, without its image."""


def _text(text: str) -> str:
    text = normalise(text)
    # a surrogate without its other half cannot be stored as UTF-8
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in text):
        raise ValueError("control characters are no handwriting")
    return text


Coordinate = Annotated[int, Field(ge=0, le=1_000_000)]
Point = tuple[Coordinate, Coordinate]
# at the first fault: a list of a million would fill the memory
Points = Annotated[tuple[Point, ...], Field(max_length=MOST_POINTS, fail_fast=True)]
Text = Annotated[str, Field(max_length=MOST_CHARACTERS), AfterValidator(_text)]


class CorrectedLine(Strict):
    """A line that a person has checked, where it lies in pixels of the upright image."""

    model_config = ConfigDict(frozen=True)

    box: Annotated[
        tuple[Coordinate, Coordinate, Coordinate, Coordinate],
        Field(description="Left, top, right, bottom.", examples=[(0, 0, 214, 48)]),
    ]
    polygon: Annotated[
        Points | None, Field(description="As it was read; none: the box.", examples=[None])
    ] = None
    baseline: Annotated[Points | None, Field(description="As it was read.", examples=[None])] = None
    reading: Annotated[Text, Field(description="What the model read.", examples=["hallo"])]
    text: Annotated[
        Text,
        Field(
            description="What stands there; empty where nothing was written.", examples=["hello"]
        ),
    ]


class UsedModel(BaseModel):
    """The version that read the image."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: Annotated[str, Field(max_length=200, examples=["handwriting"])]
    version: Annotated[str, Field(max_length=200, examples=["2"])]


class Correction(Strict):
    """What a person makes of one reading of one image."""

    model_config = ConfigDict(frozen=True)

    lines: Annotated[
        tuple[CorrectedLine, ...],
        Field(
            min_length=1,
            max_length=MOST_LINES,
            fail_fast=True,
            description="Those that were checked; others are left out, and nothing learns of them.",
        ),
    ]
    level: Annotated[Literal["word", "line", "page"], Field(examples=["line"])]
    model: UsedModel | None = None
    document: Annotated[
        Text | None,
        Field(
            description="The letter, notebook or writer the image is of. Images of one document "
            "are never used both to learn and to judge. None: the image is one by itself.",
            examples=[None],
        ),
    ] = None


class Record(Correction):
    """A correction as it is kept."""

    image: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """SHA-256 of the image file."""
    saved_at: datetime

    @property
    def id(self) -> str:
        """SHA-256 of all that matters: equal corrections of one image are the same one."""
        lines = [line.model_dump(mode="json", exclude={"reading"}) for line in self.lines]
        whole = [self.image, self.level, self.document, lines]
        return hashlib.sha256(json.dumps(whole, ensure_ascii=True).encode()).hexdigest()
