"""Whole pages over HTTP, read by the starter."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from rapidfuzz.distance import Levenshtein

from calls import connect, serve
from sheets import TEXTS, png, sheet
from trainer.bootstrap import STARTER_BUNDLE

PAGE = png(sheet()[0])
LINE = png(sheet()[0][70:150])


@pytest.fixture
async def client(empty_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    serve(empty_app, STARTER_BUNDLE)
    async with connect(empty_app) as client:
        yield client


@pytest.mark.parametrize("level", ["page", "auto"])
async def test_a_page_is_read_line_by_line(client: httpx.AsyncClient, level: str) -> None:
    answer = await client.post(f"/predict?level={level}", files={"image": PAGE})
    body = answer.json()
    assert answer.status_code == 200, body
    assert body["level"] == "page"
    assert [line["text"] for line in body["lines"]] == body["text"].split("\n")
    assert Levenshtein.normalized_distance(body["text"], "\n".join(TEXTS)) < 0.2
    assert 0 < body["confidence"] <= 1


async def test_lines_and_words_have_places_on_the_page(client: httpx.AsyncClient) -> None:
    page, lines = sheet()
    body = (await client.post("/predict?level=page", files={"image": png(page)})).json()
    assert len(body["lines"]) == len(lines)
    for found, line in zip(body["lines"], lines, strict=True):
        left, top, right, bottom = found["box"]
        assert 0 <= left < right <= page.shape[1]
        assert 0 <= top < bottom <= page.shape[0]
        assert abs(left - line.box[0]) < 30
        assert len(found["polygon"]) >= 4
        assert len(found["baseline"]) >= 2
        for word in found["words"]:
            assert left - 20 <= word["box"][0] < word["box"][2] <= right + 20
            assert word["box"][1] < line.baseline[0][1] < word["box"][3] + 5


@pytest.mark.parametrize(("level", "told"), [("auto", "line"), ("line", "line"), ("word", "word")])
async def test_what_an_image_was_taken_for_is_said(
    client: httpx.AsyncClient, level: str, told: str
) -> None:
    body = (await client.post(f"/predict?level={level}", files={"image": LINE})).json()
    assert body["level"] == told
    (line,) = body["lines"]
    assert line["baseline"] is None
    assert line["alternatives"] == body["alternatives"] == []


async def test_a_page_without_writing_has_no_lines(client: httpx.AsyncClient) -> None:
    blank = png(sheet([])[0])
    body = (await client.post("/predict?level=page", files={"image": blank})).json()
    assert (body["text"], body["lines"], body["level"]) == ("", [], "page")


async def test_alternatives_of_a_page_are_those_of_its_lines(client: httpx.AsyncClient) -> None:
    body = (
        await client.post("/predict?decoder=greedy&alternatives=2", files={"image": PAGE})
    ).json()
    assert body["alternatives"] == []
    assert all(1 <= len(line["alternatives"]) <= 2 for line in body["lines"])


async def test_pages_and_lines_share_a_batch(client: httpx.AsyncClient) -> None:
    files = [("images", PAGE), ("images", LINE)]
    body = (await client.post("/predict/batch", files=files)).json()
    levels = [each["reading"]["level"] for each in body["results"]]
    assert levels == ["page", "line"]


async def test_the_model_offers_pages(client: httpx.AsyncClient) -> None:
    assert (await client.get("/model")).json()["levels"] == ["auto", "word", "line", "page"]


async def test_a_large_word_is_no_page(client: httpx.AsyncClient) -> None:
    word = png(sheet(["hello"], size=330)[0])
    body = (await client.post("/predict", files={"image": word})).json()
    assert body["level"] == "line", body
