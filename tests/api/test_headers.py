"""What browsers are told: security headers, other origins, and documentation from this server."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.main import create_app
from api.registry import hidden
from api.settings import Settings
from calls import connect, image, problem, serve
from servers import Api

EXPECTED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


async def test_every_answer_has_the_security_headers(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    answers = [
        await client.get("/health"),
        await client.get("/metrics"),
        await client.get("/nowhere"),
        await client.get("/predict/json"),
        await client.get("/"),
        await client.get("/docs"),
        await client.get("/docs/swagger-ui.css"),
        await client.post("/predict", files=image()),
        await client.post("/predict", files={"image": b"text"}),
        await client.post("/predict/json", content=bytes(9_000_000)),
    ]
    session = app.state.service.serving.model.recognizer.__dict__.pop("_inference")
    answers.append(await client.post("/predict", files=image()))
    app.state.service.serving.model.recognizer._inference = session
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 200, 404, 405, 200, 200, 200, 200, 415, 413, 500]
    for answer in answers:
        for name, value in EXPECTED.items():
            assert answer.headers[name] == value
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers
        assert "x-powered-by" not in answer.headers


async def test_readings_are_not_kept_by_caches(client: httpx.AsyncClient) -> None:
    assert (await client.post("/predict", files=image())).headers["cache-control"] == "no-store"


# --- documentation ------------------------------------------------------------------------


async def test_the_documentation_needs_no_other_server(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(linked) == 3
    for link in linked:
        assert link.startswith("docs/")  # relative, so below any path of a proxy
        answer = await client.get(f"/{link}")
        assert answer.status_code == 200
        assert len(answer.content) > 1000
    assert not re.findall(r"https?://(?!127\.0\.0\.1)", page.text)
    assert "url: 'openapi.json'" in page.text


async def test_the_script_of_the_page_is_admitted_and_no_other(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    policy = page.headers["content-security-policy"]
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self' 'unsafe-inline'" not in policy


@pytest.mark.parametrize(
    "name",
    ["", "redoc.standalone.js", "../core.py", "..%2f..%2fcore.py", "%2e%2e/core.py", "x"],
)
async def test_nothing_else_is_served_beside_it(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/docs/{name}")
    assert answer.status_code in (307, 404)
    assert "import" not in answer.text


async def test_the_other_documentation_page_is_gone(client: httpx.AsyncClient) -> None:
    problem(await client.get("/redoc"), 404, "not-found")


# --- other origins ------------------------------------------------------------------------

APP = "https://app.example.org"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}


@pytest.fixture
async def shared(
    tmp_path: Path, bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("CORS_ORIGINS", f"{APP}, http://localhost:3000")
    monkeypatch.setenv("API_KEYS", "0" * 64)
    app = create_app(Settings(model_cache_dir=tmp_path))
    serve(app, bundle("a"))
    async with connect(app) as client:
        yield client


async def test_an_allowed_origin_may_call(shared: httpx.AsyncClient) -> None:
    asked = await shared.options("/predict", headers={"Origin": APP, **PREFLIGHT})
    assert asked.status_code == 200  # a browser sends no key with this question
    assert asked.headers["access-control-allow-origin"] == APP
    refused = await shared.post("/predict", headers={"Origin": APP}, files=image())
    problem(refused, 401, "no-key")  # the script sees why
    assert refused.headers["access-control-allow-origin"] == APP
    assert "X-Request-ID" in refused.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in refused.headers


@pytest.mark.parametrize("origin", ["https://evil.example.org", "null", f"{APP}.evil.com"])
async def test_another_origin_may_not(shared: httpx.AsyncClient, origin: str) -> None:
    asked = await shared.options("/predict", headers={"Origin": origin, **PREFLIGHT})
    assert asked.status_code == 400
    for answer in (asked, await shared.get("/health", headers={"Origin": origin})):
        assert "access-control-allow-origin" not in answer.headers


async def test_no_origin_is_allowed_unless_told(client: httpx.AsyncClient) -> None:
    asked = await client.options("/predict", headers={"Origin": APP, **PREFLIGHT})
    assert asked.status_code == 405
    answer = await client.get("/health", headers={"Origin": APP})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "value", ["app.example.org", "https://app.example.org/", "https://A.org", "ftp://a.org", "null"]
)
def test_a_wrong_origin_is_pointed_out(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", value)
    with pytest.raises(ValueError, match="is no origin"):
        Settings()


# --- what is not told ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot open /data/cache/handwriting/1-ab/model.onnx", "cannot open model.onnx"),
        ("[Errno 2] No such file: '/srv/api/.data/x.json'", "[Errno 2] No such file: 'x.json'"),
        ("PermissionError: /root", "PermissionError: /root"),
        ("golden/bars.png: was read as 'a/b'", "golden/bars.png: was read as 'a/b'"),
        ("http://user:pw@tracking:5000/api/2.0/x failed", "http://tracking:5000/api/2.0/x failed"),
        (
            "models:/handwriting/7 has no artifacts/bundle",
            "models:/handwriting/7 has no artifacts/bundle",
        ),
        ("mlflow-artifacts:/1/models/m-2/artifacts", "mlflow-artifacts:/1/models/m-2/artifacts"),
    ],
)
def test_errors_of_the_machine_show_no_path(text: str, shown: str) -> None:
    assert hidden(text) == shown


def test_a_server_in_earnest_has_no_banner(tmp_path: Path) -> None:
    settings = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "LOG_LEVEL": "ERROR"}
    with Api.as_started(tmp_path, **settings) as server:
        for path in ("/health", "/nowhere", "/docs"):
            answer = httpx.get(f"{server.uri}{path}", timeout=20)
            assert "server" not in answer.headers
            assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("proxy", "scheme"), [("127.0.0.1", "https"), ("203.0.113.7", "http")], ids=["own", "another"]
)
async def test_redirects_keep_the_scheme_that_a_trusted_proxy_tells(
    app: FastAPI, proxy: str, scheme: str
) -> None:
    transport = httpx.ASGITransport(app, client=(proxy, 12345))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        moved = await client.get("/health/", headers={"X-Forwarded-Proto": "https"})
    assert moved.status_code == 307
    assert moved.headers["location"] == f"{scheme}://api/health"
