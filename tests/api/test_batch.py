"""Many images in one request."""

import base64
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.main import create_app
from api.settings import Settings
from bundles import bars, make_bundle
from calls import connect, problem, serve


async def test_answers_keep_the_order(client: httpx.AsyncClient) -> None:
    texts = ["a" * (1 + number % 7) for number in range(30)]
    files = [("images", (f"{number}.png", bars(text))) for number, text in enumerate(texts)]
    found = (await client.post("/predict/batch", files=files)).json()
    assert [item["index"] for item in found["results"]] == list(range(30))
    assert [item["filename"] for item in found["results"]] == [f"{n}.png" for n in range(30)]
    assert [item["reading"]["text"] for item in found["results"]] == texts
    assert found["model"]["version"] == "1"


async def test_one_broken_image_fails_alone(client: httpx.AsyncClient) -> None:
    files = [
        ("images", ("good.png", bars("a"))),
        ("images", ("bad.png", b"text")),
        ("images", ("empty.png", b"")),
        ("images", ("large.png", bytes(4_000_001))),
        ("images", (None, base64.b64encode(bars("aaa")))),
        ("images", (None, b"%%%")),
        ("images", ("good.png", bars("aa"))),
    ]
    answer = await client.post("/predict/batch", files=files)
    assert answer.status_code == 200
    results = answer.json()["results"]
    texts = [item["reading"] and item["reading"]["text"] for item in results]
    assert texts == ["a", None, None, None, "aaa", None, "aa"]
    kinds = [item["problem"] and item["problem"]["type"].rpartition(":")[2] for item in results]
    assert kinds == [
        None,
        "unsupported-image",
        "unreadable-image",
        "too-many-bytes",
        None,
        "bad-base64",
        None,
    ]


async def test_a_reading_does_not_depend_on_its_batch(client: httpx.AsyncClient) -> None:
    files = [("images", bars("aa a")), ("images", bars("a" * 20)), ("images", bars("a"))]
    together = (await client.post("/predict/batch", files=files)).json()["results"]
    for (_, file), item in zip(files, together, strict=True):
        alone = (await client.post("/predict", files={"image": file})).json()
        assert item["reading"] == {key: alone[key] for key in item["reading"]}


async def test_too_many_images_are_refused(tmp_path: Path) -> None:
    app = create_app(Settings(model_cache_dir=tmp_path, max_batch_images=3))
    serve(app, make_bundle(tmp_path / "bundle").path)
    async with connect(app) as client:
        files = [("images", bars("a"))] * 4
        found = problem(await client.post("/predict/batch", files=files), 422, "invalid-request")
        assert "at most 3" in found["detail"]
        assert (await client.post("/predict/batch", files=files[:3])).status_code == 200


async def test_a_batch_may_be_larger_than_one_image(client: httpx.AsyncClient) -> None:
    padded = bars("a") + bytes(3_000_000)
    files = [("images", padded)] * 4
    found = (await client.post("/predict/batch", files=files)).json()
    assert [item["reading"]["text"] for item in found["results"]] == ["a"] * 4


@pytest.mark.parametrize("field", ["image", "files"])
async def test_a_wrong_field_is_named(client: httpx.AsyncClient, field: str) -> None:
    answer = await client.post("/predict/batch", files={field: bars("a")})
    assert problem(answer, 422, "invalid-request")["errors"][0]["field"] == "images"


async def test_a_failure_of_our_own_gives_nothing_away(app: FastAPI) -> None:
    del app.state.service.serving.model.recognizer._inference
    async with connect(app) as client:
        answer = await client.post("/predict", files={"image": bars("a")})
        assert "_session" not in str(problem(answer, 500, "internal-error"))
        found = (await client.post("/predict/batch", files={"images": bars("a")})).json()
        assert found["results"][0]["problem"]["status"] == 500
