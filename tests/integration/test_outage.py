"""A registry that is down, hangs or comes back."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from api.main import create_app
from api.settings import Settings
from bundles import damage
from calls import connect
from servers import Mlflow
from sessions import Session

Bundles = Callable[..., Path]


async def test_an_outage_is_not_noticed(
    session: Callable[..., Session], bundle: Bundles, mlflow_server: Mlflow
) -> None:
    api = session()
    first = api.publish(bundle("a"))
    await api.poll()
    with mlflow_server.outage():
        found = await api.poll()
        error = str(found["registry_error"])
        assert error.startswith(f"The registry at {mlflow_server.uri} ")
        assert error.endswith("Connection refused.")
        assert await api.reads() == ("aa", first)
        assert f"Version {first} keeps answering" in await api.reasons()

        # a restart meanwhile: from the disk cache, digests checked again
        restarted = api.again()
        found = await restarted.poll()
        assert (found["version"], found["from_cache"]) == (first, True)
        assert await restarted.reads() == ("aa", first)

        # a restart on a damaged cache has nothing to serve, says so, and serves nothing wrong
        (entry,) = api.settings.model_cache_dir.glob("*/*")
        damage(entry)
        damaged = api.again()
        found = await damaged.poll()
        assert found["version"] is None
        assert "damaged" in str(found["reload_error"])
        assert not entry.exists()

    for each in (api, restarted, damaged):
        found = await each.poll()
        assert (found["version"], found["from_cache"]) == (first, False)
        assert (found["registry_error"], found["reload_error"]) == (None, None)
        assert await each.reads() == ("aa", first)
    second = api.publish(bundle("b"))
    await api.poll()
    assert await api.reads() == ("bb", second)


async def test_a_registry_that_hangs_holds_up_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        app = create_app(Settings(mlflow_tracking_uri=uri, model_cache_dir=tmp_path))
        async with app.router.lifespan_context(app), connect(app) as client:
            for _ in range(1200):
                answer = await asyncio.wait_for(client.get("/health"), timeout=0.5)
                if "timed out" in answer.text:
                    break
                await asyncio.sleep(0.05)
            assert "does not answer as it should" in answer.json()["reasons"][0]
            assert (await client.get("/health/live")).status_code == 200


async def test_a_password_in_the_address_is_not_shown(tmp_path: Path) -> None:
    uri = "http://user:secret@127.0.0.1:9"
    app = create_app(Settings(mlflow_tracking_uri=uri, model_cache_dir=tmp_path))
    await asyncio.to_thread(app.state.service.watcher.poll)
    async with connect(app) as client:
        for path in ("/model", "/health"):
            answer: httpx.Response = await client.get(path)
            assert "http://127.0.0.1:9" in answer.text
            assert "secret" not in answer.text
