"""The API in the test's own process, with a tiny model and without a registry."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.main import create_app
from api.settings import Settings
from calls import connect, serve


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(model_cache_dir=tmp_path / "cache", max_upload_bytes=4_000_000)


@pytest.fixture
def empty_app(settings: Settings) -> FastAPI:
    """An application that has found no model yet."""
    return create_app(settings)


@pytest.fixture
def app(empty_app: FastAPI, bundle: Callable[..., Path]) -> FastAPI:
    serve(empty_app, bundle("a"))
    return empty_app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(app) as client:
        yield client
