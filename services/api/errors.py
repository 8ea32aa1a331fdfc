"""Everything that can go wrong, and the one place that turns it into an answer (RFC 9457)."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.paths import path_of
from api.schemas import FieldProblem, Problem
from corrections.errors import NoSuchCorrectionError
from recognizer.errors import (
    ImageTooLargeError,
    ReadingError,
    UnreadableImageError,
    UnsupportedImageError,
)


class ApiError(Exception):
    """Base of every error this package raises on purpose."""


class BadBase64Error(ApiError):
    """Text that should be base64 and is not."""


class TooManyBytesError(ApiError):
    """An image, or a whole request, above its limit of bytes."""


class UnsupportedBodyError(ApiError):
    """A body of a type that the route does not read."""


class UrlRefusedError(ApiError):
    """An address that images are not fetched from here. Nothing was sent to it."""


class FetchError(ApiError):
    """An image that its own server does not deliver, and will not the next time."""


class HostDownError(FetchError):
    """The server of an image is not found or fails: it may do better the next time."""


class HostSlowError(FetchError):
    """The server of an image takes too long."""


class FieldError(ApiError):
    """A field that is missing or wrong."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        super().__init__(problem)


class UnauthorizedError(ApiError):
    """A call that needs an API key came without one, or with one that is not known."""

    def __init__(self, *, given: bool) -> None:
        wrong = ', error="invalid_token"' if given else ""
        self.headers = {"WWW-Authenticate": f'Bearer realm="handwriting"{wrong}'}
        super().__init__(
            "The API key is not known here."
            if given
            else "Send an API key: Authorization: Bearer KEY, or X-API-Key: KEY."
        )


class UnavailableError(ApiError):
    """Nothing is read now; `retry_after` says in how many seconds to ask again."""

    def __init__(self, reason: str, *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(reason)


class NoModelError(UnavailableError):
    """There is no model to read with, yet."""


class OverloadedError(UnavailableError):
    """More images wait than can be read in time, or one has waited too long."""


class DrainingError(UnavailableError):
    """The service is stopping: it finishes what it accepted and takes nothing more."""


class CorrectionsOffError(ApiError):
    """Nobody has said where corrections are to be kept."""


class CorrectionsUnavailableError(UnavailableError):
    """The folder or the bucket of corrections does not do what was asked."""


class CorrectionsFullError(ApiError):
    """What may be kept of corrections is used up."""


class OtherOriginError(ApiError):
    """A page of another site tries to change something here."""


class ClientGoneError(ApiError):
    """Whoever asked has closed the connection. Never seen by a client."""


class RegistryError(ApiError):
    """The registry cannot be reached, or answers with an error. Never answered to a client."""


class CacheError(ApiError):
    """The disk cache cannot be read or written. Never answered to a client."""


class EndedError(ApiError):
    """A version that ended the process that opened it. Never answered to a client."""


@dataclass(frozen=True)
class Kind:
    """What stays the same in all problems of a kind."""

    status: int
    name: str
    title: str

    @property
    def type(self) -> str:
        return f"urn:handwriting:problem:{self.name}"


INVALID = Kind(422, "invalid-request", "A parameter or field is missing or wrong")
TOO_MANY_BYTES = Kind(413, "too-many-bytes", "The image or the request is too large")
TOO_SLOW = Kind(408, "too-slow", "The request took too long to arrive")
UNAUTHORIZED = Kind(401, "no-key", "A valid API key is needed")
CLIENT_GONE = Kind(499, "client-gone", "The client went away")  # the status that nginx logs
INTERNAL = Kind(500, "internal-error", "The service failed")

MOST_FIELDS = 10
"""That an answer complains of."""

KINDS: dict[type[Exception], Kind] = {
    UnreadableImageError: Kind(400, "unreadable-image", "The image cannot be read"),
    BadBase64Error: Kind(400, "bad-base64", "The text is not base64"),
    TooManyBytesError: TOO_MANY_BYTES,
    FetchError: Kind(400, "image-not-fetched", "The image cannot be fetched"),
    # of the same type, but of a status that clients may try again after; and none of a failure here
    HostDownError: Kind(424, "image-not-fetched", "The server of the image fails"),
    HostSlowError: Kind(424, "image-not-fetched", "The server of the image takes too long"),
    UrlRefusedError: Kind(422, "url-refused", "Images are not fetched from this address"),
    ImageTooLargeError: Kind(413, "too-many-pixels", "The image has too many pixels"),
    UnsupportedImageError: Kind(415, "unsupported-image", "Not an image format that is read here"),
    UnsupportedBodyError: Kind(415, "unsupported-body", "Not a kind of body that is read here"),
    FieldError: INVALID,
    RequestValidationError: INVALID,
    ReadingError: Kind(422, "not-offered", "The model does not offer this"),
    UnauthorizedError: UNAUTHORIZED,
    OtherOriginError: Kind(403, "other-origin", "Pages of other sites may not do this"),
    CorrectionsOffError: Kind(404, "corrections-off", "Corrections are not kept here"),
    NoSuchCorrectionError: Kind(404, "no-such-correction", "There is no such correction"),
    CorrectionsUnavailableError: Kind(
        503, "corrections-unavailable", "Corrections cannot be read or written now"
    ),
    CorrectionsFullError: Kind(507, "corrections-full", "There is no room for corrections"),
    NoModelError: Kind(503, "no-model", "No model is ready"),
    OverloadedError: Kind(503, "overloaded", "Too many images are waiting"),
    DrainingError: Kind(503, "stopping", "The service is stopping"),
    ClientGoneError: CLIENT_GONE,
    ClientDisconnect: CLIENT_GONE,
}

PLAIN = {
    400: Kind(400, "unreadable-body", "The body of the request cannot be read"),
    404: Kind(404, "not-found", "There is nothing here"),
    405: Kind(405, "method-not-allowed", "The method is not allowed here"),
    408: TOO_SLOW,
    413: TOO_MANY_BYTES,
}
"""Errors that the framework raises by their status."""


def problem_of(error: Exception, *, request_id: str | None = None) -> Problem:
    """The problem that answers an error; an error of no known kind gives away no details."""
    kind = _kind(error)
    return Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=_detail(error, kind),
        errors=_fields(error),
        request_id=request_id,
    )


def answer(error: Exception, request: Request) -> JSONResponse:
    """The response that answers an error."""
    problem = problem_of(error, request_id=request.scope.get("state", {}).get("request_id"))
    headers = dict(getattr(error, "headers", None) or {})
    if isinstance(error, UnavailableError):
        headers["Retry-After"] = str(error.retry_after)
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status_code=problem.status,
        headers=headers,
        media_type="application/problem+json",
    )


EXPECTED: tuple[type[Exception], ...] = (HTTPException, *KINDS)
"""What a route may raise: anything else is a fault of this program."""


def add_handlers(app: FastAPI) -> None:
    """Answer every error of a route with a problem. Unknown ones: see `api.middleware`."""
    for cls in EXPECTED:
        app.add_exception_handler(cls, handle)


async def handle(request: Request, error: Exception) -> JSONResponse:
    """The response that answers what a route raised."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        # of several routes of a path the framework names the methods of the first
        methods = request.app.openapi()["paths"].get(path_of(request.scope), {})
        if methods:
            allowed = ", ".join(sorted(method.upper() for method in methods))
            error.headers = {**(error.headers or {}), "Allow": allowed}
    if isinstance(error.__cause__, ClientDisconnect):  # the framework says that it is a 400
        error = ClientGoneError("The client closed the connection within its request.")
    return answer(error, request)


def _kind(error: Exception) -> Kind:
    if isinstance(error, HTTPException):
        title = HTTPStatus(error.status_code).phrase
        plain = Kind(error.status_code, title.lower().replace(" ", "-"), title)
        return PLAIN.get(error.status_code, plain)
    return next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), INTERNAL)


def _detail(error: Exception, kind: Kind) -> str:
    if kind is INTERNAL:
        return "Something went wrong here, not in your request. The log has it by its request id."
    if isinstance(error, RequestValidationError):
        return "; ".join(f"{each.field}: {each.problem}" for each in _fields(error) or [])
    if isinstance(error, HTTPException):
        if error.status_code == 404:
            return "This path does not exist; /docs lists those that do."
        if error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "another method")
            return f"This path answers {allowed} only; see /docs."
        return error.detail
    return str(error)


def _fields(error: Exception) -> list[FieldProblem] | None:
    if isinstance(error, FieldError):
        return [FieldProblem(field=error.field, problem=str(error))]
    if isinstance(error, RequestValidationError):
        return [_field(each) for each in error.errors()[:MOST_FIELDS]]
    return None


def _field(found: dict[str, Any]) -> FieldProblem:
    """One of pydantic's findings; what it says of a whole body is meant for programmers."""
    where = found["loc"]
    if found["type"] == "json_invalid":
        problem = f"not JSON: {found['ctx']['error']} at character {where[-1]}"
        return FieldProblem(field="body", problem=problem)
    if where == ("body",):
        problem = "send a JSON object with the header Content-Type: application/json"
        return FieldProblem(field="body", problem=problem)
    return FieldProblem(field=".".join(map(str, where)), problem=found["msg"])
