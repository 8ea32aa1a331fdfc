"""Calls to the API in the test's own process, and what their answers must look like."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from api.cache import Cache
from api.middleware import LOG_SECONDS
from api.serving import Served, Version
from bundles import bars
from recognizer.recognizer import Recognizer

VERSION = Version(name="handwriting", version="1", run_id="r", source="s", created=1)


def serve(app: FastAPI, bundle: Path) -> None:
    """Put a bundle into service as the watcher does."""
    model = Served(VERSION, Recognizer.load(bundle), datetime.now(UTC))
    app.state.service.serving.model = model


def connect(app: FastAPI) -> httpx.AsyncClient:
    # the application must answer its own failures, not the client
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://api")


async def logged() -> None:
    """Wait until the lines of all requests are written: they come a little later."""
    await asyncio.sleep(2 * LOG_SECONDS)


def image(text: str = "aa a", image_format: str = "PNG") -> dict[str, Any]:
    """The `files` of a request with an image of bars."""
    return {"image": (f"bars.{image_format.lower()}", bars(text, image_format))}


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """The problem an answer holds, checked to be a whole one of the kind expected."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["type"] == f"urn:handwriting:problem:{name}"
    assert found["status"] == status
    assert found["title"]
    assert found["request_id"] == answer.headers["x-request-id"]
    # one or two sentences for a person, nothing of the program
    assert 10 < len(found["detail"]) < 400
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text
    return found


def fill_cache(path: Path, bundle: Path, tracking_uri: str, model_uri: str) -> None:
    """Leave a cache as an API does that has served the bundle, so that another starts from it.

    The bundle's directory moves there.
    """
    cache = Cache(path, tracking_uri, model_uri)
    cache.keep(bundle, VERSION)
    cache.remember(VERSION)
