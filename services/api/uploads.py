"""The images of a request: files of a form, or base64 text."""

import base64
import binascii
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl

import anyio.to_thread
from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message

from api.errors import ApiError, BadBase64Error, FieldError, TooManyBytesError, UnsupportedBodyError

URLENCODED = "application/x-www-form-urlencoded"
FORMS = ("multipart/form-data", URLENCODED)

MOST_FIELDS = 1000
"""Of a form; Starlette has it so where there may be files."""

# a form's boundaries and headers, a data URI's prefix, JSON's quotes
WRAPPING = 64 * 1024

ONE_PIECE = 64 * 1024
"""Bytes of a body that are taken from the connection together, at least."""

LONGEST_PREFIX = 1024
"""Characters of a data URI, its comma among them: no more of a text are looked through for it."""

# one part, a file; no quote or backslash in its name, which are escaped in several ways
_MULTIPART = re.compile(r"multipart/form-data; *boundary=([0-9A-Za-z'()+_,./:=?-]{1,70})")
_FILE_PART = re.compile(
    rb'\r\nContent-Disposition: form-data; name="(?P<name>\w+)"; filename="[^"\\\r\n]+"\r\n'
    rb"(?:Content-Type: [\w.+/-]+\r\n)?\r\n",
    re.IGNORECASE | re.ASCII,
)
_URL_SAFE = str.maketrans("-_", "+/", "\r\n\t")


@dataclass(frozen=True)
class Upload:
    """One image of a form: its bytes, or why it has none."""

    filename: str | None
    file: bytes | ApiError


def body_limit(max_bytes: int) -> int:
    """The largest body that may hold an image of `max_bytes`: base64 with line ends, wrapped."""
    return max_bytes * 4 // 3 + max_bytes // 25 + WRAPPING


def promised(headers: Iterable[tuple[bytes, bytes]], limit: int) -> int:
    """The bytes of body that a request says will come, as far as they are read: up to `limit`.

    None of a small one, which cannot fill the memory.
    """
    length = 0
    for name, value in headers:
        if name == b"transfer-encoding":
            return limit  # in chunks: nobody knows before
        if name == b"content-length" and value.isdigit():
            length = min(int(value), limit)
    return length if length > ONE_PIECE else 0


async def one(request: Request, *, max_bytes: int) -> bytes:
    """The image in the field `image` of a form.

    Raises:
        ApiError: no such field, several, or not an image file's bytes.
    """
    body = await _body(request)
    file = lone_file(request.headers.get("content-type", ""), body, "image")
    if file is not None:
        if len(file) > max_bytes:
            raise _too_large(len(file), max_bytes)
        return file
    async with _form(_anew(request, body), max_bytes) as form:
        upload = await _upload(_only(form, "image"), max_bytes)
    if isinstance(upload.file, ApiError):
        raise upload.file
    return upload.file


async def _body(request: Request) -> bytes:
    """As `Request.body`, but for the generator, which takes longer than what it gives."""
    pieces: list[bytes] = []
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _anew(request: Request, body: bytes) -> Request:
    """A request whose body has not been read yet."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)


def lone_file(content_type: str, body: bytes, field: str) -> bytes | None:
    """The file in a form that holds nothing else, written as browsers and curl write it.

    None for any other body: that is for the parser of forms, which takes several times as long.
    """
    boundary = _MULTIPART.fullmatch(content_type)
    if not boundary:
        return None
    line = b"--" + boundary[1].encode("ascii")
    part = _FILE_PART.match(body, len(line))
    if not part or part["name"].decode("ascii") != field or not body.startswith(line):
        return None
    end = body.find(b"\r\n" + line, part.end())
    if body[end:] not in (b"\r\n" + line + b"--\r\n", b"\r\n" + line + b"--"):
        return None
    return body[part.end() : end]


async def one_and_text(request: Request, field: str, *, max_bytes: int) -> tuple[bytes, str]:
    """The image in the field `image` of a form, and the text in another field.

    Raises:
        ApiError: either is missing or there several times, or not what it should be.
    """
    async with _form(request, max_bytes) as form:
        upload = await _upload(_only(form, "image"), max_bytes)
        text = _only(form, field)
        if not isinstance(text, str):
            text = (await text.read()).decode("utf-8", errors="replace")
    if isinstance(upload.file, ApiError):
        raise upload.file
    return upload.file, text


async def many(request: Request, *, max_bytes: int, most: int) -> list[Upload]:
    """The images in the fields `images` of a form, in their order.

    Raises:
        ApiError: no such field, or more than `most`.
    """
    async with _form(request, max_bytes) as form:
        values = _values(form, "images")
        if len(values) > most:
            raise FieldError("images", f"{len(values)} images were sent; at most {most} are read.")
        return [await _upload(value, max_bytes) for value in values]


async def from_text(text: str, *, max_bytes: int) -> bytes:
    """The bytes of base64 text or a data URI.

    Raises:
        BadBase64Error: it is neither.
        TooManyBytesError: more than `max_bytes`.
    """
    # megabytes of text take milliseconds: not on the event loop
    return await anyio.to_thread.run_sync(decode_base64, text, max_bytes)


def decode_base64(text: str, max_bytes: int) -> bytes:
    """See `from_text`. Takes both alphabets, line ends anywhere, and no padding."""
    if text[:5].lower() == "data:":
        comma = text.find(",", 0, LONGEST_PREFIX)
        if comma < 0:
            raise BadBase64Error("The data URI has no comma: data:image/png;base64,iVBORw0...")
        if not text[:comma].lower().endswith(";base64"):
            raise BadBase64Error("The data URI must say ;base64 before its comma.")
        text = text[comma + 1 :]
    text = text.strip().translate(_URL_SAFE).rstrip("=")
    wrong = re.search(r"[^A-Za-z0-9+/]", text)
    if wrong:
        raise BadBase64Error(
            f"Not base64: character {wrong[0]!r} at position {wrong.start()} of the text."
        )
    if len(text) * 3 // 4 > max_bytes:
        raise _too_large(len(text) * 3 // 4, max_bytes)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise BadBase64Error(
            f"Not base64: {len(text)} characters, one too many or some cut off."
        ) from None


@asynccontextmanager
async def _form(request: Request, max_bytes: int) -> AsyncIterator[FormData]:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind and kind not in FORMS:
        raise UnsupportedBodyError(
            f"The body is {kind[:80]}; send multipart/form-data, or JSON to /predict/json."
        )
    if kind == URLENCODED:
        # megabytes of escapes take long, and of separators seconds
        yield await anyio.to_thread.run_sync(_fields, await request.body())
        return
    # Starlette keeps text fields in memory and allows them 1 MB: too little for base64
    async with request.form(max_part_size=body_limit(max_bytes)) as form:
        yield form


def _fields(urlencoded: bytes) -> FormData:
    """Raises `HTTPException` where there are more than `MOST_FIELDS`."""
    text = urlencoded.decode("latin-1")  # ASCII, as what is not is escaped
    try:
        found = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        # as Starlette answers it for forms with files
        raise HTTPException(400, f"The form has more than {MOST_FIELDS} fields.") from None
    return FormData([(name, value) for name, value in found])


def _only(form: FormData, field: str) -> UploadFile | str:
    values = _values(form, field)
    if len(values) > 1:
        several = "send several images to /predict/batch" if field == "image" else "send one"
        raise FieldError(field, f"{field} was sent {len(values)} times; {several}.")
    return values[0]


def _values(form: FormData, field: str) -> list[UploadFile | str]:
    values = form.getlist(field)
    if not values:
        others = ", ".join(sorted(set(form))[:5])[:200]
        sent = f"the form has: {others}" if others else "the form is empty"
        image = field in ("image", "images")
        what = "an image file or its base64" if image else "JSON"
        raise FieldError(field, f"Send {what} in the field {field!r}; {sent}.")
    return values


async def _upload(value: UploadFile | str, max_bytes: int) -> Upload:
    if isinstance(value, str):
        try:
            return Upload(None, await from_text(value, max_bytes=max_bytes))
        except ApiError as error:
            return Upload(None, error)
    if value.size is not None and value.size > max_bytes:
        return Upload(value.filename, _too_large(value.size, max_bytes))
    return Upload(value.filename, await value.read())


def _too_large(size: int, max_bytes: int) -> TooManyBytesError:
    return TooManyBytesError(f"The image is {size} bytes; at most {max_bytes} are read here.")
