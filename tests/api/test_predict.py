"""One image in, its text out."""

import base64

import httpx
import numpy as np
import pytest

from bundles import bars
from calls import image, problem


async def test_a_file_is_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/predict", files=image("aa a"))
    assert answer.status_code == 200
    found = answer.json()
    assert found["text"] == "aa a"
    assert found["confidence"] > 0.9
    assert found["alternatives"] == []
    assert found["model"] == {"name": "handwriting", "version": "1", "stage": "Production"}
    assert found["request_id"] == answer.headers["x-request-id"]
    assert 0 < found["timing_ms"]["recognise"] < found["timing_ms"]["total"]


async def test_boxes_lie_where_the_words_are(client: httpx.AsyncClient) -> None:
    found = (await client.post("/predict", files=image("aa a"))).json()
    (line,) = found["lines"]
    assert line["box"] == [0, 0, 152, 32]
    assert line["text"] == "aa a"
    # bars stand at 24, 56 and 120, each 8 wide
    assert [(word["text"], word["box"]) for word in line["words"]] == [
        ("aa", [24, 0, 64, 32]),
        ("a", [120, 0, 128, 32]),
    ]


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF", "BMP", "GIF", "JPEG"])
async def test_every_format_is_read(client: httpx.AsyncClient, image_format: str) -> None:
    answer = await client.post("/predict", files=image("aaa", image_format))
    assert answer.json()["text"] == "aaa"


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", "data:;base64,"])
async def test_base64_in_the_field_is_read(client: httpx.AsyncClient, prefix: str) -> None:
    # as `base64 line.png | curl -F "image=<-"` sends it: in lines, with a line end after the last
    text = prefix + base64.encodebytes(bars("aa")).decode()
    fields = {"image": (None, text)}
    assert (await client.post("/predict", files=fields)).json()["text"] == "aa"


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
async def test_base64_in_a_plain_form_is_read(client: httpx.AsyncClient, prefix: str) -> None:
    text = prefix + base64.b64encode(bars("aa")).decode()
    assert (await client.post("/predict", data={"image": text})).json()["text"] == "aa"
    fields = {"images": [text, text], "other": ""}
    found = (await client.post("/predict/batch", data=fields)).json()["results"]
    assert [each["reading"]["text"] for each in found] == ["aa", "aa"]


async def test_base64_larger_than_a_form_field_usually_is(client: httpx.AsyncClient) -> None:
    # noise after the end of a PNG file is no part of the image, and makes it 3 MB
    file = bars("aa") + np.random.default_rng(1).bytes(3_000_000)
    text = base64.b64encode(file).decode()
    for answer in (
        await client.post("/predict", files={"image": (None, text)}),
        await client.post("/predict/json", json={"image": text}),
    ):
        assert answer.json()["text"] == "aa"


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
async def test_json_is_read(client: httpx.AsyncClient, prefix: str) -> None:
    text = prefix + base64.b64encode(bars("aa")).decode()
    answer = await client.post("/predict/json", json={"image": text})
    assert answer.status_code == 200
    assert answer.json()["text"] == "aa"


async def test_url_safe_base64_without_padding_is_read(client: httpx.AsyncClient) -> None:
    text = base64.urlsafe_b64encode(bars("aa")).decode().rstrip("=")
    assert (await client.post("/predict/json", json={"image": text})).json()["text"] == "aa"


async def test_a_word_has_no_spaces(client: httpx.AsyncClient) -> None:
    answer = await client.post("/predict?level=word", files=image("aa a"))
    assert " " not in answer.json()["text"]


async def test_beam_search_reads_the_same_here(client: httpx.AsyncClient) -> None:
    answer = await client.post("/predict?decoder=beam&level=line", files=image("aa a"))
    assert answer.json()["text"] == "aa a"


@pytest.mark.parametrize("number", [1, 3, 10])
async def test_alternatives_differ_from_the_text(client: httpx.AsyncClient, number: int) -> None:
    answer = await client.post(f"/predict?alternatives={number}", files=image("aa a"))
    texts = [each["text"] for each in answer.json()["alternatives"]]
    assert 1 <= len(texts) <= number
    assert "aa a" not in texts


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("decoder=lexicon", "it offers auto, greedy, beam"),
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
async def test_what_the_model_lacks_is_said(
    client: httpx.AsyncClient, path: str, query: str, says: str
) -> None:
    field = "image" if path == "/predict" else "images"
    answer = await client.post(f"{path}?{query}", files={field: bars("a")})
    assert says in problem(answer, 422, "not-offered")["detail"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("level=book", "query.level"),
        ("decoder=best", "query.decoder"),
        ("alternatives=11", "query.alternatives"),
        ("alternatives=-1", "query.alternatives"),
        ("alternatives=few", "query.alternatives"),
    ],
)
async def test_a_wrong_parameter_is_named(
    client: httpx.AsyncClient, query: str, field: str
) -> None:
    found = problem(await client.post(f"/predict?{query}", files=image()), 422, "invalid-request")
    assert [each["field"] for each in found["errors"]] == [field]
    assert field in found["detail"]


@pytest.mark.parametrize("query", ["", "?level=word", "?decoder=beam&alternatives=2", "?other=1"])
async def test_the_same_query_is_answered_the_same_way(
    client: httpx.AsyncClient, query: str
) -> None:
    """FastAPI is asked the first time only."""
    first, *others = [await client.post(f"/predict{query}", files=image()) for _ in range(3)]
    for other in others:
        assert other.headers.keys() == first.headers.keys()
        assert other.headers["content-type"] == first.headers["content-type"]
        each, again = first.json(), other.json()
        assert list(each) == list(again)
        for fresh in ("request_id", "timing_ms"):
            assert again.pop(fresh) != each.pop(fresh)
        assert again == each


async def test_a_wrong_query_stays_wrong_and_many_queries_are_answered(
    client: httpx.AsyncClient,
) -> None:
    for _ in range(2):
        answer = await client.post("/predict?level=chapter", files=image())
        problem(answer, 422, "invalid-request")
    for number in range(100):
        answer = await client.post(f"/predict?note={number}", files=image())
        assert answer.status_code == 200
    # one that was answered is not remembered for what came with it
    assert (await client.post("/predict", files=image("aaa"))).json()["text"] == "aaa"
    problem(await client.post("/predict", files={"image": ("e.png", b"")}), 400, "unreadable-image")
