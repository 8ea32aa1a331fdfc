"""Which thread does what, and what becomes of images that nobody waits for any more."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fastapi import FastAPI

from api import stages
from api.main import create_app
from api.settings import Settings
from api.stages import LARGE, MANY_PIXELS, Stages
from calls import connect, image, problem, serve
from pictures import encode
from recognizer.decode import LogProbs
from recognizer.image import Gray, decode

LINE = "/predict?level=line"


@pytest.fixture
def make(tmp_path: Path, bundle: Callable[..., Path]) -> Callable[..., FastAPI]:
    def make(**settings: float) -> FastAPI:
        app = create_app(Settings(model_cache_dir=tmp_path, inference_threads=1, **settings))
        serve(app, bundle("a"))
        return app

    return make


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The thread that decoded, or tried to, and how many pixels it would have taken."""
    calls: list[tuple[str, int]] = []

    def noted(data: bytes, *, max_pixels: int) -> Gray:
        calls.append((threading.current_thread().name.partition("_")[0], max_pixels))
        return decode(data, max_pixels=max_pixels)

    monkeypatch.setattr(stages, "image", SimpleNamespace(decode=noted))
    return calls


def parts(app: FastAPI) -> Stages:
    found: Stages = app.state.service.engine._stages
    return found


def flat(pixels: int) -> dict[str, bytes]:
    """The `files` of a request with nothing but paper on it, which packs into few bytes."""
    file = encode(np.full((1000, pixels // 1000), 255, np.uint8), "PNG")
    assert len(file) < LARGE
    return {"image": file}


@contextmanager
def held(app: FastAPI) -> Iterator[threading.Event]:
    """Keep every inference from ending until the event is set."""
    go_on = threading.Event()
    recognizer = app.state.service.serving.current().recognizer
    infer = recognizer.infer

    def slow(*args: object, **kwargs: object) -> list[LogProbs]:
        go_on.wait(30)
        found: list[LogProbs] = infer(*args, **kwargs)
        return found

    recognizer.infer = slow
    try:
        yield go_on
    finally:
        go_on.set()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


async def test_no_inference_thread_unpacks_many_pixels(
    make: Callable[..., FastAPI], decoded: list[tuple[str, int]]
) -> None:
    app = make(max_pixels=50_000_000)
    async with connect(app) as client:
        with held(app) as go_on:
            first = asyncio.create_task(client.post(LINE, files=image()))
            await until(lambda: len(decoded) == 1)
            posts = [asyncio.create_task(client.post(LINE, files=image()))]
            await until(lambda: len(decoded) == 2)
            posts.append(asyncio.create_task(client.post(LINE, files=flat(MANY_PIXELS + 1000))))
            await until(lambda: len(decoded) == 4)
            go_on.set()
        assert [(await post).status_code for post in (first, *posts)] == [200] * 3
    small, large = ("infer", MANY_PIXELS), ("prepare", 50_000_000)
    assert decoded == [large, small, small, large]  # the first was alone


async def test_what_is_too_large_is_told_the_limit_that_is_set(
    make: Callable[..., FastAPI], decoded: list[tuple[str, int]]
) -> None:
    app = make(max_pixels=5_000_000)
    async with connect(app) as client:
        with held(app):
            first = asyncio.create_task(client.post(LINE, files=image()))
            await until(lambda: len(decoded) == 1)
            answer = await client.post(LINE, files=flat(6_000_000))
        assert (await first).status_code == 200
    found = problem(answer, 413, "too-many-pixels")
    assert found["detail"] == "The image is 6000 x 1000 pixels; at most 5 million are read here."


async def test_images_are_read_where_no_inference_thread_can_be_started(
    make: Callable[..., FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make()
    noise = np.random.default_rng(1).integers(150, 255, (500, 1000), np.uint8)
    file = encode(noise, "PNG")
    assert len(file) > LARGE  # prepared by threads of its own kind

    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    async with connect(app) as client:
        with monkeypatch.context() as patch:
            patch.setattr(parts(app)._inferring, "submit", fail)
            posts = [client.post(LINE, files={"image": file}) for _ in range(3)]
            answers = await asyncio.gather(*posts)
        assert [answer.status_code for answer in answers] == [200] * 3
        await until(lambda: parts(app)._batcher._workers == 0)
        answers = await asyncio.gather(*(client.post(LINE, files=image()) for _ in range(3)))
        assert [answer.json()["text"] for answer in answers] == ["aa a"] * 3


async def test_what_is_given_up_has_waited_too(make: Callable[..., FastAPI]) -> None:
    app = make(request_seconds=0.3)
    registry = app.state.service.metrics.registry

    def waits(kind: str) -> float:
        found = registry.get_sample_value(f"handwriting_stage_seconds_{kind}", {"stage": "queue"})
        assert found is not None
        return float(found)

    async with connect(app) as client:
        with held(app):
            first = asyncio.create_task(client.post(LINE, files=image()))
            await until(lambda: parts(app)._batcher._workers == 1)
            await asyncio.sleep(0.05)  # it is being read now, and the others wait for that
            answers = await asyncio.gather(*(client.post(LINE, files=image()) for _ in range(2)))
        for answer in (await first, *answers):
            problem(answer, 503, "overloaded")
        assert waits("count") == 3
        assert 0.4 < waits("sum") < 0.9
        assert (await client.post(LINE, files=image())).status_code == 200
        assert waits("count") == 4
        assert waits("sum") < 0.95
