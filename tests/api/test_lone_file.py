"""A form that holds one file and nothing else is read without the parser of forms."""

import asyncio

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.types import Message

from api.uploads import lone_file

KIND = "multipart/form-data; boundary=--b"
CONTENT = st.lists(
    st.sampled_from([b"\r\n", b"----b", b"--", b"\n", b"\0", b"png", b'"', b"\r\n----b\r\n"]),
    max_size=8,
).map(b"".join)


def form(
    content: bytes, *, name: str = "image", filename: str = "a b.png", end: str = "--"
) -> bytes:
    head = f'----b\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
    return head.encode() + b"Content-Type: image/png\r\n\r\n" + content + f"\r\n----b{end}".encode()


def parsed(kind: str, body: bytes) -> list[tuple[str, bytes]]:
    """What Starlette finds in a form."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def read() -> list[tuple[str, bytes]]:
        scope = {"type": "http", "headers": [(b"content-type", kind.encode())]}
        async with Request(scope, receive).form() as found:
            return [
                (name, await value.read() if isinstance(value, UploadFile) else value.encode())
                for name, value in found.multi_items()
            ]

    return asyncio.run(read())


@given(CONTENT, st.sampled_from(["--\r\n", "--"]))
def test_what_is_found_is_what_the_parser_of_forms_finds(content: bytes, end: str) -> None:
    body = form(content, end=end)
    found = lone_file(KIND, body, "image")
    if found is not None:
        assert [("image", found)] == parsed(KIND, body)
    else:
        assert b"\r\n----b" in b"\r\n" + content, "it was left to the parser for no reason"


@pytest.mark.parametrize("filename", ["line.png", "ça va.jpg"])
def test_programs_write_forms_so(filename: str) -> None:
    sent = httpx.Request("POST", "http://api", files={"image": (filename, b"pixels")})
    assert lone_file(sent.headers["content-type"], sent.read(), "image") == b"pixels"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (KIND, form(b"x", name="other")),
        (KIND, form(b"x", filename="")),
        (KIND, form(b"x", filename='a\\"b')),
        (KIND, b"before" + form(b"x")),
        (KIND, form(b"x") + b"after"),
        (KIND, form(b"x", end="")),
        (KIND, form(b"x", end="\r\n" + form(b"y").decode()[7:])),
        (KIND, b""),
        (KIND, form(b"x").replace(b"image/png\r\n", b"image/png\r\nX-Other: 1\r\n")),
        (KIND + "; charset=utf-8", form(b"x")),
        ("multipart/form-data", form(b"x")),
        ("application/x-www-form-urlencoded", b"image=eA"),
    ],
)
def test_anything_else_is_left_to_the_parser_of_forms(kind: str, body: bytes) -> None:
    assert lone_file(kind, body, "image") is None
