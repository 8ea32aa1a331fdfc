"""What `/docs` shows beyond what the types say."""

from typing import Any

from fastapi import FastAPI

from api.errors import (
    INTERNAL,
    KINDS,
    TOO_SLOW,
    UNAUTHORIZED,
    BadBase64Error,
    DrainingError,
    FetchError,
    FieldError,
    HostDownError,
    HostSlowError,
    Kind,
    NoModelError,
    OverloadedError,
    TooManyBytesError,
    UnsupportedBodyError,
    UrlRefusedError,
)
from api.keys import HEADER, OPEN
from api.schemas import Problem
from recognizer.errors import (
    ImageTooLargeError,
    ReadingError,
    UnreadableImageError,
    UnsupportedImageError,
)

DESCRIPTION = """Reads images of handwritten words, lines and pages. Each call can be tried here.

    curl -F image=@line.png http://127.0.0.1:8000/predict
    base64 line.png | curl -F "image=<-" http://127.0.0.1:8000/predict
    curl -F images=@1.png -F images=@2.png http://127.0.0.1:8000/predict/batch
"""

TAGS = [
    {"name": "read", "description": "Text from images."},
    {"name": "corrections", "description": "What people made of readings, to train on."},
    {"name": "model", "description": "The version that reads them."},
    {"name": "health", "description": "For whoever runs the service."},
]


def problems(*errors: type[Exception] | Kind) -> dict[int | str, dict[str, Any]]:
    """The documented answers for these errors, and for one that nobody expects, by status."""
    kinds: dict[int, list[Kind]] = {}
    named = (error if isinstance(error, Kind) else KINDS[error] for error in errors)
    for kind in dict.fromkeys((*named, INTERNAL)):
        kinds.setdefault(kind.status, []).append(kind)
    return {status: _problem(found) for status, found in sorted(kinds.items())}


def _problem(kinds: list[Kind]) -> dict[str, Any]:
    """The documented answer for problems of one status."""
    return {
        "description": "; ".join(kind.title for kind in kinds),
        "content": {
            "application/problem+json": {
                "schema": {"$ref": f"#/components/schemas/{Problem.__name__}"},
                "example": {
                    "type": kinds[0].type,
                    "title": kinds[0].title,
                    "status": kinds[0].status,
                    "detail": "One or two sentences: what is wrong and what to do.",
                    "request_id": "5f0c3c1e9f7b4f0f8a4d2b6f6f6b1f3a",
                },
            }
        },
    }


IMAGE_ERRORS = (
    UnreadableImageError,
    BadBase64Error,
    TooManyBytesError,
    ImageTooLargeError,
    UnsupportedImageError,
    UnsupportedBodyError,
    FieldError,
    OverloadedError,
    DrainingError,
    TOO_SLOW,
)
"""Of every route that takes an image."""

READ_ERRORS = (*IMAGE_ERRORS, ReadingError, NoModelError)

PROBLEMS = problems(*READ_ERRORS)
"""The problems of the routes that read images, by status."""

URL_PROBLEMS = problems(*READ_ERRORS, FetchError, HostDownError, HostSlowError, UrlRefusedError)
"""Those of the routes that fetch them, too."""


def form(
    field: str, description: str, *, many: bool = False, **others: dict[str, Any]
) -> dict[str, Any]:
    """A multipart body with one field, or a repeated one, of image files.

    Written by hand: a field that is a file or a text shows as a plain text box otherwise.

    Args:
        others: further fields that must be there, and their schemas.
    """
    file: dict[str, Any] = {"type": "string", "contentMediaType": "application/octet-stream"}
    schema = {"type": "array", "items": file, "minItems": 1} if many else file
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": [field, *others],
                        "properties": {field: {**schema, "description": description}, **others},
                    }
                }
            },
        }
    }


def ask_for_keys(app: FastAPI, also_open: frozenset[str]) -> None:
    """Let the schema say which calls need an API key, and how one is sent."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        schema = plain()
        schema["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": HEADER},
        }
        for path, calls in schema["paths"].items():
            for call in calls.values() if path not in OPEN | also_open else ():
                call["security"] = [{"bearer": []}, {"header": []}]
                call["responses"]["401"] = _problem([UNAUTHORIZED])
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
