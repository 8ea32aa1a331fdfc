"""API keys: who gets in, what stays open, and that neither key nor hash ever shows."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api import logs
from api.keys import make
from api.main import create_app
from api.settings import Settings
from bundles import bars
from calls import connect, image, logged, problem, serve

SERVICES = Path(__file__).parents[2] / "services"

ADA, ADA_ENTRY = make("ada")
BOB, BOB_ENTRY = make("bob")
BOB_HASH = BOB_ENTRY.partition(":")[2]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("API_KEYS", f"{ADA_ENTRY}, {BOB_HASH}")
    return Settings(model_cache_dir=tmp_path / "cache", max_upload_bytes=4_000_000)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("key", [ADA, BOB], ids=["named", "hash alone"])
async def test_either_header_lets_a_known_key_in(client: httpx.AsyncClient, key: str) -> None:
    for headers in (bearer(key), {"authorization": f"bearer  {key} "}, {"X-API-Key": key}):
        answer = await client.post("/predict", files=image("aa"), headers=headers)
        assert answer.json()["text"] == "aa"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {ADA}"},
        {"Authorization": ADA},
        {"X-API-Key": ""},
        {"X-Api-Key": "wrong"},
        {"X-API-Key": ADA[:-1]},
        {"X-API-Key": BOB_HASH},  # whoever has seen the settings has no key
        {"X-API-Key": BOB_ENTRY},
        {"X-API-Key": b"\xff\xfe"},
        {"X-API-Key": "wrong", "Authorization": f"Bearer {ADA}"},
        {"X-API-Key": ADA, "Authorization": "Bearer wrong"},
    ],
)
async def test_without_a_known_key_nothing_is_answered(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for method, path in [("POST", "/predict"), ("GET", "/model"), ("GET", "/nowhere")]:
        answer = await client.request(method, path, headers=headers)
        problem(answer, 401, "no-key")
        assert answer.headers["www-authenticate"].startswith('Bearer realm="handwriting"')


async def test_a_wrong_key_is_told_from_none(client: httpx.AsyncClient) -> None:
    none = await client.get("/model")
    wrong = await client.get("/model", headers=bearer("wrong"))
    assert "error" not in none.headers["www-authenticate"]
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    assert "Authorization: Bearer" in none.json()["detail"]


async def test_no_body_is_read_before_the_key(client: httpx.AsyncClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("was read")
        yield b""

    answer = await client.post("/predict/json", content=body(), headers={"X-API-Key": "wrong"})
    problem(answer, 401, "no-key")


async def test_health_numbers_and_pages_stay_open(client: httpx.AsyncClient) -> None:
    for path in ("/health", "/health/live", "/health/ready", "/metrics", "/docs", "/openapi.json"):
        assert (await client.get(path)).status_code == 200
    for path in ("/", "/page/main.js", "/page/page.css"):
        assert (await client.get(path)).status_code == 200


async def test_numbers_can_be_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: Callable[..., Path]
) -> None:
    monkeypatch.setenv("API_KEYS", ADA_ENTRY)
    app = create_app(Settings(model_cache_dir=tmp_path, metrics_open=False))
    serve(app, bundle("a"))
    async with connect(app) as client:
        problem(await client.get("/metrics"), 401, "no-key")
        assert (await client.get("/metrics", headers=bearer(ADA))).status_code == 200
        schema = (await client.get("/openapi.json")).json()
        assert schema["paths"]["/metrics"]["get"]["security"]


async def test_the_schema_asks_for_keys(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    assert set(schema["components"]["securitySchemes"]) == {"bearer", "header"}
    closed = schema["paths"]["/predict"]["post"]
    assert closed["security"] == [{"bearer": []}, {"header": []}]
    assert "401" in closed["responses"]
    for path in ("/health", "/metrics"):
        assert "security" not in schema["paths"][path]["get"]


async def test_without_keys_the_schema_does_not_mention_them(tmp_path: Path) -> None:
    async with connect(create_app(Settings(model_cache_dir=tmp_path, api_keys=()))) as client:
        text = (await client.get("/openapi.json")).text
    assert "securitySchemes" not in text
    assert '"401"' not in text


async def test_the_log_names_who_asked_and_shows_no_key(
    app: FastAPI, client: httpx.AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure("DEBUG", "json")
    await client.get("/model", headers=bearer(ADA))
    await client.get("/model", headers=bearer(BOB))
    refused = await client.get("/model", headers=bearer("wrong-key"))
    await logged()
    text = capfd.readouterr().err
    lines = [json.loads(line) for line in text.splitlines()]
    asked = [line.get("key") for line in lines if line["logger"] == "api.access"]
    assert asked == ["ada", "key-2", None]
    shown = text + refused.text + repr(app.state.service.settings)
    for secret in (ADA, BOB, BOB_HASH, ADA_ENTRY.partition(":")[2], "wrong-key"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (ADA, "entry 1 is neither"),
        (f"{ADA_ENTRY},{BOB}", "entry 2 is neither"),
        (f"{ADA_ENTRY[:-1]}", "python -m api.keys NAME"),
        (f"a b:{BOB_HASH}", "entry 1"),
        (f"{'x' * 65}:{BOB_HASH}", "entry 1"),
        (BOB_HASH.upper() + "0", "64 hex digits"),
    ],
    ids=["a key", "key of two", "short hash", "space in name", "long name", "long hash"],
)
def test_a_wrong_setting_is_said_without_showing_it(value: str, says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from api.settings import load_settings; load_settings()"],
        env={**os.environ, "PYTHONPATH": str(SERVICES), "API_KEYS": value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("API_KEYS is wrong: ")
    assert says in line
    for secret in (ADA, BOB, BOB_HASH[:-1], ADA_ENTRY[4:40]):
        assert secret not in done.stderr + done.stdout


def test_a_key_is_made_in_one_line() -> None:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "api.keys", *arguments],
            env={**os.environ, "PYTHONPATH": str(SERVICES)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    made = run("scanner.room-2")
    key, entry = (line.split(": ")[-1].strip() for line in made.stdout.splitlines())
    assert entry == f"scanner.room-2:{hashlib.sha256(key.encode()).hexdigest()}"
    assert len(key) >= 43
    for wrong in ((), ("--help",), ("two", "names"), ("no space",), ("",)):
        ended = run(*wrong)
        assert ended.returncode == 2
        assert ended.stdout == ""
        assert 10 < len(ended.stderr) < 120


async def test_several_keys_of_one_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: Callable[..., Path]
) -> None:
    """The new one is given out before the old one is taken away."""
    old, new = make("ada"), make("ada")
    monkeypatch.setenv("API_KEYS", f"{old[1]}\n{new[1]}\n")
    app = create_app(Settings(model_cache_dir=tmp_path))
    serve(app, bundle("a"))
    async with connect(app) as client:
        for key, _ in (old, new):
            answer = await client.post(
                "/predict", files={"image": bars("a")}, headers={"X-API-Key": key}
            )
            assert answer.status_code == 200
