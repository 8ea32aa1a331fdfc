"""Input that cannot be read: the documented problem, and the service goes on."""

import base64
import struct
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from api.errors import BadBase64Error
from api.uploads import decode_base64
from bundles import bars
from calls import image, problem


@pytest.fixture(autouse=True)
async def goes_on(client: httpx.AsyncClient) -> AsyncIterator[None]:
    yield
    assert (await client.post("/predict", files=image("aa"))).json()["text"] == "aa"


def huge_png(side: int) -> bytes:
    """A PNG of a few hundred bytes that says it is `side` pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + sum_

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("file", "status", "name"),
    [
        (b"", 400, "unreadable-image"),
        (b"not an image", 415, "unsupported-image"),
        (b"%PDF-1.7\n1 0 obj", 415, "unsupported-image"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415, "unsupported-image"),
        (bars("aaaa")[:-60], 400, "unreadable-image"),
        (bars("aaaa")[:30], 400, "unreadable-image"),
        (huge_png(40_000), 413, "too-many-pixels"),
        (huge_png(5_000), 400, "unreadable-image"),
        (bytes(4_000_001), 413, "too-many-bytes"),
    ],
    ids=["empty", "text", "pdf", "svg", "cut off", "header only", "pixels", "few data", "bytes"],
)
async def test_a_bad_file_is_refused(
    client: httpx.AsyncClient, file: bytes, status: int, name: str
) -> None:
    text = base64.b64encode(file).decode()
    for answer in (
        await client.post("/predict", files={"image": ("image.png", file)}),
        await client.post("/predict", files={"image": (None, text)}),
        await client.post("/predict/json", json={"image": text}),
    ):
        problem(answer, status, name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not base64!", "' '"),
        ("iVBORw0KGgo*", "'*' at position 11"),
        ("iVBOR", "cut off"),
        ("data:image/png,iVBORw0", ";base64"),
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,é", "'é'"),
    ],
)
async def test_broken_base64_is_pointed_out(
    client: httpx.AsyncClient, text: str, says: str
) -> None:
    for answer in (
        await client.post("/predict", files={"image": (None, text)}),
        await client.post("/predict/json", json={"image": text}),
    ):
        assert says in problem(answer, 400, "bad-base64")["detail"]


def test_a_data_uri_of_very_many_parameters_takes_no_memory() -> None:
    text = "data:" + 200_000 * ";"
    for wrong in (text, text + ",aGk="):
        tracemalloc.start()
        try:
            with pytest.raises(BadBase64Error, match="no comma"):
                decode_base64(wrong, 1000)
            assert tracemalloc.get_traced_memory()[1] < len(text)
        finally:
            tracemalloc.stop()
    assert decode_base64("DATA:image/png;charset=utf-8;BASE64,aGk", 1000) == b"hi"


async def test_a_wrong_field_is_named(client: httpx.AsyncClient) -> None:
    found = problem(
        await client.post("/predict", files={"file": bars("a")}), 422, "invalid-request"
    )
    assert found["errors"][0]["field"] == "image"
    assert "the form has: file" in found["detail"]


async def test_a_request_without_a_body(client: httpx.AsyncClient) -> None:
    for path in ("/predict", "/predict/batch", "/predict/json"):
        problem(await client.post(path), 422, "invalid-request")


async def test_two_images_are_one_too_many(client: httpx.AsyncClient) -> None:
    files = [("image", bars("a")), ("image", bars("a"))]
    found = problem(await client.post("/predict", files=files), 422, "invalid-request")
    assert "/predict/batch" in found["detail"]


async def test_a_body_that_is_no_form(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "image/png"}
    answer = await client.post("/predict", content=bars("a"), headers=headers)
    assert "multipart/form-data" in problem(answer, 415, "unsupported-body")["detail"]


async def test_a_form_that_is_broken(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await client.post("/predict", content=b"--y\r\n nonsense", headers=headers)
    problem(answer, 400, "unreadable-body")


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
async def test_a_form_of_very_many_fields(client: httpx.AsyncClient, path: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    answer = await client.post(path, content=2_000_000 * b"&", headers=headers)
    assert "1000 fields" in problem(answer, 400, "unreadable-body")["detail"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"image": ', "not JSON: Expecting value at character 10"),
        (b"\xff\xfe", "body"),
        (b"[]", "send a JSON object"),
        (b"{}", "body.image"),
        (b'{"image": 7}', "body.image"),
        (b'{"picture": "aGk="}', "body.picture"),
        (b'{"image": "aGk=", "level": "word"}', "body.level"),
    ],
)
async def test_wrong_json_is_pointed_out(client: httpx.AsyncClient, body: bytes, says: str) -> None:
    headers = {"content-type": "application/json"}
    answer = await client.post("/predict/json", content=body, headers=headers)
    assert says in problem(answer, 422, "invalid-request")["detail"]


async def test_an_unknown_path(client: httpx.AsyncClient) -> None:
    assert "/docs" in problem(await client.get("/predictions"), 404, "not-found")["detail"]


async def test_a_wrong_method(client: httpx.AsyncClient) -> None:
    answer = await client.get("/predict/json")
    assert "POST" in problem(answer, 405, "method-not-allowed")["detail"]
    assert answer.headers["allow"] == "POST"


async def test_of_many_unknown_fields_one_is_named(client: httpx.AsyncClient) -> None:
    body = {"image": "aa", **{str(number): number for number in range(20_000)}}
    answer = await client.post("/predict/json", json=body)
    errors = problem(answer, 422, "invalid-request")["errors"]
    assert [each["field"] for each in errors] == ["body.0"]
    assert len(answer.content) < 1000
    few = await client.post("/predict/json", json={"picture": "aa"})
    assert few.json()["errors"][0]["field"] == "body.picture"


@pytest.mark.parametrize("path", ["/health/ready", "/", "/model", "/page/main.js"])
async def test_whoever_asks_for_the_head_alone_gets_it(
    client: httpx.AsyncClient, path: str
) -> None:
    head, whole = await client.head(path), await client.get(path)
    assert head.status_code == whole.status_code == 200
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert (await client.head("/predict")).status_code == 405
