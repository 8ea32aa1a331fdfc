"""Which thread does what, and what becomes of images that nobody waits for any more."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image

from api import stages
from api.main import create_app
from api.settings import Settings
from api.stages import LARGE, MANY_PIXELS, MOST_KEPT, Stages
from calls import connect, image, problem, serve
from pictures import encode
from recognizer import image as unpacking
from recognizer import page, recognizer
from recognizer.decode import LogProbs
from recognizer.image import Gray, decode
from recognizer.layout import Line
from recognizer.maps import Detector

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

    def noted(data: bytes, *, max_pixels: int, wanted: Callable[[], bool]) -> Gray:
        calls.append((threading.current_thread().name.partition("_")[0], max_pixels))
        return decode(data, max_pixels=max_pixels, wanted=wanted)

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


def waits(app: FastAPI, kind: str) -> float:
    """The `count`, or the `sum` of seconds, of what images have waited for threads."""
    metrics = app.state.service.metrics
    metrics.count()
    found = metrics.registry.get_sample_value(
        f"handwriting_stage_seconds_{kind}", {"stage": "queue"}
    )
    assert found is not None
    return float(found)


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


@pytest.mark.parametrize("level", ["auto", "page"])
async def test_no_inference_thread_looks_for_lines(
    make: Callable[..., FastAPI],
    decoded: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
    level: str,
) -> None:
    app = make(max_pixels=50_000_000)
    looked: list[tuple[str, int]] = []
    find = page.find_lines

    def noted(gray: Gray, detector: Detector) -> list[Line]:
        looked.append((threading.current_thread().name.partition("_")[0], gray.size))
        return find(gray, detector)

    monkeypatch.setattr(recognizer, "find_lines", noted)
    async with connect(app) as client:
        with held(app) as go_on:
            first = asyncio.create_task(client.post(LINE, files=image()))
            await until(lambda: len(decoded) == 1)
            posts = [first]
            for pixels in (MOST_KEPT, MOST_KEPT + 1000):
                path = f"/predict?level={level}"
                posts.append(asyncio.create_task(client.post(path, files=flat(pixels))))
                await until(lambda: len(looked) == len(posts) - 1)
            go_on.set()
        assert [(await post).status_code for post in posts] == [200] * 3
    assert looked == [("prepare", MOST_KEPT), ("prepare", MOST_KEPT + 1000)]
    # what is small enough to wait as it is is unpacked once
    assert [thread for thread, _ in decoded] == ["prepare", "infer", "infer", "prepare"]


async def test_what_waits_too_long_for_its_turn_is_not_unpacked(
    make: Callable[..., FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make(request_seconds=0.2)
    sizes: list[tuple[int, int]] = []
    unpack = unpacking._unpacked

    def noted(picture: Image.Image) -> Gray:
        sizes.append(picture.size)
        return unpack(picture)

    monkeypatch.setattr(unpacking, "_unpacked", noted)
    async with connect(app) as client:
        with unpacking._one_large:
            answer = await client.post(LINE, files=flat(unpacking.LARGE + 1000))
            problem(answer, 503, "overloaded")
        parts(app).close()
    assert sizes == []


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


async def test_the_wait_for_a_decoding_thread_counts(
    make: Callable[..., FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make()
    submit = parts(app)._decoding.submit

    def late(*call: Any) -> None:
        time.sleep(0.2)
        submit(*call)

    monkeypatch.setattr(parts(app)._decoding, "submit", late)
    async with connect(app) as client:
        assert (await client.post(f"{LINE}&decoder=beam", files=image())).status_code == 200
    assert waits(app, "count") == 1
    assert waits(app, "sum") >= 0.2


async def test_what_is_given_up_has_waited_too(make: Callable[..., FastAPI]) -> None:
    app = make(request_seconds=0.3)
    async with connect(app) as client:
        with held(app):
            first = asyncio.create_task(client.post(LINE, files=image()))
            await until(lambda: parts(app)._batcher._workers == 1)
            await asyncio.sleep(0.05)  # it is being read now, and the others wait for that
            answers = await asyncio.gather(*(client.post(LINE, files=image()) for _ in range(2)))
        for answer in (await first, *answers):
            problem(answer, 503, "overloaded")
        assert waits(app, "count") == 3
        assert 0.4 < waits(app, "sum") < 0.9
        assert (await client.post(LINE, files=image())).status_code == 200
        assert waits(app, "count") == 4
        assert waits(app, "sum") < 0.95
