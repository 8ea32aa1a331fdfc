"""What people correct is kept, where somebody has said so, and can be deleted again."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api import keys
from api.main import create_app
from api.settings import Settings
from bundles import bars
from calls import connect, image, problem, serve
from corrections.record import Correction
from corrections.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "corrections"


@pytest.fixture
def settings(tmp_path: Path, folder: Path) -> Settings:
    return Settings(
        model_cache_dir=tmp_path / "cache",
        corrections_dir=str(folder),
        corrections_max_bytes=20_000,
        max_upload_bytes=4_000_000,
        cors_origins=("https://app.example.org",),
    )


@pytest.fixture
async def off(tmp_path: Path, bundle: Callable[..., Path]) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(model_cache_dir=tmp_path / "cache"))
    serve(app, bundle("a"))
    async with connect(app) as client:
        yield client


OURS = (
    "127.0.0.1:8000",
    "[::1]:8000",
    "192.168.1.7",
    "api:8000",
    "reader.local",
    "a.b.localhost:81",
)
REBOUND = (
    "reader.example.org:8000",
    "7.example",
    "[x",
    "[abc]",
    "localhost.example.org",
    "127.0.0.1.example.org",
)


def form(text: str = "aa a", **changes: Any) -> dict[str, Any]:
    """The parts of a request."""
    line = {"box": [0, 0, 152, 32], "polygon": None, "reading": "aa", "text": text}
    correction = {"lines": [line], "level": "line", **changes}
    return {"files": image(), "data": {"correction": json.dumps(correction)}}


async def test_a_reading_is_corrected(client: httpx.AsyncClient, folder: Path) -> None:
    model = {"name": "handwriting", "version": "1", "stage": "Production"}
    answer = await client.post("/corrections", **form(model=model, document=" letter  7"))
    assert answer.status_code == 201
    saved = answer.json()
    assert saved["new"]
    assert saved["lines"] == 1
    stored = Store(str(folder)).read(saved["id"])
    assert stored.image == bars("aa a")
    (line,) = stored.record.lines
    assert (line.reading, line.text, line.box) == ("aa", "aa a", (0, 0, 152, 32))
    assert stored.record.model is not None
    assert stored.record.model.version == "1"
    assert stored.record.document == "letter 7"


async def test_what_is_kept_is_said(client: httpx.AsyncClient) -> None:
    empty = (await client.get("/corrections")).json()
    assert empty == {
        "kept": True,
        "corrections": 0,
        "bytes": 0,
        "most_bytes": 20_000,
        "days": None,
        "latest": [],
    }
    ids = [(await client.post("/corrections", **form(text))).json()["id"] for text in ("a", "b")]
    found = (await client.get("/corrections")).json()
    assert found["corrections"] == 2
    assert {each["id"] for each in found["latest"]} == set(ids)
    assert found["bytes"] == sum(each["bytes"] for each in found["latest"]) > 0


async def test_the_same_is_kept_once(client: httpx.AsyncClient) -> None:
    first = await client.post("/corrections", **form())
    again = await client.post("/corrections", **form())
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert not again.json()["new"]
    assert (await client.get("/corrections")).json()["corrections"] == 1


async def test_a_correction_is_deleted(client: httpx.AsyncClient, folder: Path) -> None:
    saved = (await client.post("/corrections", **form())).json()
    answer = await client.delete(f"/corrections/{saved['id']}")
    assert answer.status_code == 204
    assert not list(folder.iterdir())
    again = await client.delete(f"/corrections/{saved['id']}")
    problem(again, 404, "no-such-correction")
    problem(await client.delete("/corrections/x"), 422, "invalid-request")


async def test_nothing_is_kept_unless_somebody_says_where(off: httpx.AsyncClient) -> None:
    assert not (await off.get("/corrections")).json()["kept"]
    problem(await off.post("/corrections", **form()), 404, "corrections-off")
    problem(await off.delete(f"/corrections/{'a' * 64}"), 404, "corrections-off")


async def test_room_is_bounded(client: httpx.AsyncClient, folder: Path) -> None:
    statuses = []
    for number in range(400):
        answer = await client.post("/corrections", **form(f"text {number}"))
        statuses.append(answer.status_code)
        if answer.status_code != 201:
            break
    found = problem(answer, 507, "corrections-full")
    assert "CORRECTIONS_MAX_BYTES" in found["detail"]
    assert len(statuses) > 5
    assert sum(file.stat().st_size for file in folder.iterdir()) < 25_000
    kept = (await client.get("/corrections")).json()["latest"]
    for each in kept:
        await client.delete(f"/corrections/{each['id']}")
    assert (await client.post("/corrections", **form("again"))).status_code == 201


@pytest.mark.parametrize(
    ("correction", "field"),
    [
        ("no JSON", "correction"),
        ("{}", "correction.lines"),
        ('{"lines": [], "level": "line"}', "correction.lines"),
        (
            '{"lines": [{"box": [0, 0, 9, 9], "reading": "", "text": "\\u0007"}], "level": "line"}',
            "correction.lines.0.text",
        ),
        (
            '{"lines": [{"box": [9, 0, 9, 9], "reading": "", "text": "a"}], "level": "line"}',
            "correction.lines.0.box",
        ),
        (
            '{"lines": [{"box": [0, 0, 153, 9], "reading": "", "text": "a"}], "level": "line"}',
            "correction.lines.0",
        ),
        (
            '{"lines": [{"box": [0, 0, 9, 9], "polygon": [[0, 0], [5, 99]], "reading": "", '
            '"text": "a"}], "level": "line"}',
            "correction.lines.0",
        ),
    ],
)
async def test_what_is_no_correction_is_refused(
    client: httpx.AsyncClient, folder: Path, correction: str, field: str
) -> None:
    answer = await client.post("/corrections", files=image(), data={"correction": correction})
    found = problem(answer, 422, "invalid-request")
    assert found["errors"][0]["field"] == field
    assert not folder.exists() or not list(folder.iterdir())


async def test_what_is_wrong_a_hundred_thousand_times_is_said_once(
    client: httpx.AsyncClient,
) -> None:
    line = {"box": [0, 0, 9, 9], "polygon": ["x"] * 500, "reading": "", "text": "a"}
    text = json.dumps({"lines": [line] * 200, "level": "line"})
    began = time.perf_counter()
    answer = await client.post("/corrections", files=image(), data={"correction": text})
    assert time.perf_counter() - began < 1
    found = problem(answer, 422, "invalid-request")
    assert found["errors"][0]["field"].startswith("correction.lines.0.polygon.0")
    answer = await client.post("/corrections", files=image(), data={"correction": " " * 4_000_001})
    assert "4000001" in problem(answer, 422, "invalid-request")["detail"]


async def test_parts_of_the_form_are_asked_for(client: httpx.AsyncClient) -> None:
    found = problem(await client.post("/corrections", files=image()), 422, "invalid-request")
    assert found["errors"][0]["field"] == "correction"
    answer = await client.post("/corrections", data=form()["data"])
    assert problem(answer, 422, "invalid-request")["errors"][0]["field"] == "image"


async def test_an_image_that_is_none_is_refused(client: httpx.AsyncClient, folder: Path) -> None:
    answer = await client.post("/corrections", files={"image": b"no image"}, data=form()["data"])
    problem(answer, 415, "unsupported-image")
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "http://api", "Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": "http://api"}, 201),
        ({"Origin": "https://public.example.org", "Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": "https://app.example.org", "Sec-Fetch-Site": "cross-site"}, 201),
        ({"Origin": "https://evil.example.org", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://api:81", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example.org"}, 403),
        ({"Origin": "null"}, 403),
        *(({"Origin": f"http://{host}", "Host": host}, 201) for host in OURS),
        # the owner of such a name can let it mean this machine once the page is there
        *(({"Origin": f"http://{host}", "Host": host}, 403) for host in REBOUND),
    ],
)
async def test_pages_of_other_sites_teach_nothing(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    answer = await client.post("/corrections", **form(), headers=headers)
    assert answer.status_code == status
    if status == 403:
        problem(answer, 403, "other-origin")


async def test_with_a_key_a_page_may_have_any_name(
    settings: Settings, bundle: Callable[..., Path]
) -> None:
    key, entry = keys.make("a")
    app = create_app(settings.model_copy(update={"api_keys": keys.parse(entry)}))
    serve(app, bundle("a"))
    headers = {"Origin": f"http://{REBOUND[0]}", "Host": REBOUND[0], "X-API-Key": key}
    async with connect(app) as client:
        assert (await client.post("/corrections", **form(), headers=headers)).status_code == 201


async def test_pages_of_other_sites_remove_nothing(client: httpx.AsyncClient) -> None:
    saved = (await client.post("/corrections", **form())).json()
    there = f"/corrections/{saved['id']}"
    rebound = {"Origin": f"http://{REBOUND[0]}", "Host": REBOUND[0]}
    problem(await client.delete(there, headers=rebound), 403, "other-origin")
    assert (await client.delete(there, headers={"Origin": "http://api"})).status_code == 204


async def test_a_place_that_fails_is_said_and_loses_nothing(
    client: httpx.AsyncClient, folder: Path
) -> None:
    saved = (await client.post("/corrections", **form())).json()
    hidden = folder.with_name("hidden")
    folder.rename(hidden)
    folder.write_text("in its place")
    found = problem(await client.post("/corrections", **form("b")), 503, "corrections-unavailable")
    assert str(folder) not in found["detail"]
    folder.unlink()
    hidden.rename(folder)
    assert (await client.post("/corrections", **form("b"))).status_code == 201
    assert saved["id"] in {
        each["id"] for each in (await client.get("/corrections")).json()["latest"]
    }


async def test_old_ones_are_removed_at_the_start(settings: Settings, folder: Path) -> None:
    store = Store(str(folder))
    text = form()["data"]["correction"]
    saved = store.save(b"image", Correction.model_validate_json(text)).record
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(folder / f"{saved.id}.zip", (long_ago, long_ago))
    app: FastAPI = create_app(settings.model_copy(update={"corrections_days": 2.0}))
    async with app.state.service.keeper.sweeping(), connect(app) as client:
        assert (await client.get("/corrections")).json()["days"] == 2
        for _ in range(100):
            if (await client.get("/corrections")).json()["corrections"] == 0:
                break
            await asyncio.sleep(0.01)
        assert not list(folder.iterdir())
