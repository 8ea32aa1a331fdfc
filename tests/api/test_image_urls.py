"""Images from the web over HTTP: from the request to the text."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from api.hosts import AllowList
from api.main import create_app
from api.settings import Settings
from bundles import bars
from calls import connect, logged, problem, serve
from web import Web, ok, slowly


@pytest.fixture
def web() -> Iterator[Web]:
    with Web(ok(bars("aa"))) as web:
        yield web


@pytest.fixture
async def open_client(
    tmp_path: Path, web: Web, bundle: Callable[..., Path]
) -> AsyncIterator[httpx.AsyncClient]:
    """An API that may fetch from the server `web` alone, which it has to name as IP and port."""
    hosts = AllowList.parse(f"127.0.0.1:{web.port}")
    app = create_app(Settings(model_cache_dir=tmp_path / "cache", image_url_hosts=hosts))
    serve(app, bundle("a"))
    async with connect(app) as client:
        yield client


async def test_an_image_on_the_web_is_read(open_client: httpx.AsyncClient, web: Web) -> None:
    url = f"http://127.0.0.1:{web.port}/line.png"
    for answer in (
        await open_client.post("/predict/json", json={"url": url}),
        await open_client.get("/predict", params={"image_url": url, "level": "word"}),
    ):
        assert answer.status_code == 200, answer.text
        assert answer.json()["text"] == "aa"
    first = web.requests[0].decode()
    assert first.startswith("GET /line.png HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{web.port}\r\n" in first
    assert "authorization" not in first.lower()
    assert "cookie" not in first.lower()


async def test_what_is_there_must_be_an_image(tmp_path: Path, bundle: Callable[..., Path]) -> None:
    with Web(ok(b"root:x:0:0", "Content-Type: image/png")) as web:
        hosts = AllowList.parse(f"127.0.0.1:{web.port}")
        app = create_app(Settings(model_cache_dir=tmp_path / "cache", image_url_hosts=hosts))
        serve(app, bundle("a"))
        async with connect(app) as client:
            url = f"http://127.0.0.1:{web.port}/"
            answer = await client.post("/predict/json", json={"url": url})
    problem(answer, 415, "unsupported-image")
    assert "root" not in answer.text


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{other}/",
        "http://localhost:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://user@127.0.0.1:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
    ],
)
async def test_other_addresses_are_refused(
    open_client: httpx.AsyncClient, web: Web, url: str
) -> None:
    with Web(ok(b"secret")) as other:
        url = url.format(port=web.port, other=other.port)
        for answer in (
            await open_client.post("/predict/json", json={"url": url}),
            await open_client.get("/predict", params={"image_url": url}),
        ):
            problem(answer, 422, "url-refused")
    assert (web.connections, other.connections) == (0, 0)


async def test_image_urls_are_off_unless_hosts_are_named(
    client: httpx.AsyncClient, web: Web
) -> None:
    url = f"http://127.0.0.1:{web.port}/"
    found = problem(await client.post("/predict/json", json={"url": url}), 422, "url-refused")
    assert "switched off" in found["detail"]
    problem(await client.get("/predict", params={"image_url": url}), 405, "method-not-allowed")
    assert "get" not in (await client.get("/openapi.json")).json()["paths"]["/predict"]
    assert web.connections == 0


@pytest.mark.parametrize("body", [{}, {"image": "aGk=", "url": "https://example.org/"}])
async def test_one_of_image_and_url_is_needed(
    client: httpx.AsyncClient, body: dict[str, str]
) -> None:
    found = problem(await client.post("/predict/json", json=body), 422, "invalid-request")
    assert "body.image or body.url" in found["detail"]


async def test_both_methods_of_the_path_are_allowed(open_client: httpx.AsyncClient) -> None:
    assert (await open_client.put("/predict")).headers["allow"] == "GET, POST"


async def test_what_the_model_lacks_is_said_before_anybody_is_asked(
    open_client: httpx.AsyncClient, web: Web
) -> None:
    url = f"http://127.0.0.1:{web.port}/"
    query = {"image_url": url, "decoder": "lexicon"}
    problem(await open_client.get("/predict", params=query), 422, "not-offered")
    assert web.connections == 0


async def test_the_log_does_not_show_the_address(
    open_client: httpx.AsyncClient, web: Web, capfd: pytest.CaptureFixture[str]
) -> None:
    from api import logs

    logs.configure("DEBUG", "json")
    url = f"http://127.0.0.1:{web.port}/line.png?signature=secret"
    await open_client.get("/predict", params={"image_url": url})
    await logged()
    lines = [line for line in capfd.readouterr().err.splitlines() if '"httpx"' not in line]
    assert '"path": "/predict"' in "".join(lines)
    assert "secret" not in "".join(lines)


async def test_a_failure_is_told_as_a_problem(
    tmp_path: Path, bundle: Callable[..., Path], app: FastAPI
) -> None:
    with Web(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as web:
        hosts = AllowList.parse(f"127.0.0.1:{web.port}")
        app = create_app(Settings(model_cache_dir=tmp_path / "other", image_url_hosts=hosts))
        serve(app, bundle("a"))
        async with connect(app) as client:
            url = f"http://127.0.0.1:{web.port}/"
            problem(await client.post("/predict/json", json={"url": url}), 400, "image-not-fetched")
    async with connect(app) as client:  # the server is gone: it may be back the next time
        found = await client.get("/predict", params={"image_url": url})
        assert "cannot be reached" in problem(found, 424, "image-not-fetched")["detail"]


async def test_a_server_that_takes_too_long_is_told_from_a_bad_request(
    tmp_path: Path, bundle: Callable[..., Path]
) -> None:
    with Web(slowly()) as web:
        hosts = AllowList.parse(f"127.0.0.1:{web.port}")
        settings = Settings(model_cache_dir=tmp_path, image_url_hosts=hosts, image_url_seconds=0.2)
        app = create_app(settings)
        serve(app, bundle("a"))
        async with connect(app) as client:
            url = f"http://127.0.0.1:{web.port}/"
            found = await client.get("/predict", params={"image_url": url})
            problem(found, 424, "image-not-fetched")


async def test_what_may_come_of_fetching_is_documented_where_images_are_fetched(
    open_client: httpx.AsyncClient,
) -> None:
    paths = (await open_client.get("/openapi.json")).json()["paths"]
    assert {"400", "424"} <= set(paths["/predict"]["get"]["responses"])
    assert {"400", "424"} <= set(paths["/predict/json"]["post"]["responses"])
    assert "424" not in paths["/predict"]["post"]["responses"]


async def test_a_fetch_ends_with_the_client_that_asked_for_it(
    tmp_path: Path, bundle: Callable[..., Path]
) -> None:
    with Web(slowly()) as web:
        hosts = AllowList.parse(f"127.0.0.1:{web.port}")
        app = create_app(Settings(model_cache_dir=tmp_path, image_url_hosts=hosts))
        serve(app, bundle("a"))
        query = f"image_url=http://127.0.0.1:{web.port}/"
        whole: Message = {"type": "http.request", "body": b"", "more_body": False}
        messages = [whole]
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/predict",
            "query_string": query.encode(),
            "headers": [],
        }
        left = asyncio.Event()
        sent: list[Message] = []

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        call = asyncio.create_task(app(scope, receive, send))
        while not web.requests:
            await asyncio.sleep(0.02)
        left.set()
        await asyncio.wait_for(call, timeout=3)
    assert app.state.service.fetcher._limiter.borrowed_tokens == 0
