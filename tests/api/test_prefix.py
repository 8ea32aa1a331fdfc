"""Below a path of a proxy that the server was told of (`--root-path`)."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from api.keys import make
from api.main import create_app
from api.settings import Settings
from api.uploads import body_limit
from bundles import bars
from calls import image, problem, serve

KEY, ENTRY = make("ada")
MOST = 100_000


@pytest.fixture
async def below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: Callable[..., Path]
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("API_KEYS", ENTRY)
    app = create_app(Settings(model_cache_dir=tmp_path / "cache", max_upload_bytes=MOST))
    serve(app, bundle("a"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path="/hand")
    headers = {"X-API-Key": KEY}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api/hand/", headers=headers
    ) as client:
        yield client


async def test_what_needs_no_key_needs_none(below: httpx.AsyncClient) -> None:
    del below.headers["X-API-Key"]
    for path in ("", "docs", "docs/swagger-ui.css", "openapi.json", "health/live", "page/main.js"):
        assert (await below.get(path)).status_code == 200, path
    problem(await below.post("predict", files=image()), 401, "no-key")


async def test_reads_within_the_same_limits(below: httpx.AsyncClient) -> None:
    assert (await below.post("predict", files=image("aa"))).json()["text"] == "aa"
    huge = {"image": ("a.png", bars("a") + bytes(body_limit(MOST)))}
    problem(await below.post("predict", files=huge), 413, "too-many-bytes")
    # a batch may be larger than an image
    huge = {"images": ("a.png", bars("a") + bytes(body_limit(MOST)))}
    answer = await below.post("predict/batch", files=huge)
    assert answer.json()["results"][0]["problem"]["status"] == 413


async def test_counts_under_the_names_of_the_routes(below: httpx.AsyncClient) -> None:
    await below.post("predict", files=image("aa"))
    await below.get("nowhere")
    refused = await below.get("predict/batch")
    assert refused.headers["allow"] == "POST"
    numbers = (await below.get("metrics")).text
    assert 'route="/predict",status="200"' in numbers
    assert 'route="unknown",status="404"' in numbers
    assert "/hand" not in numbers
