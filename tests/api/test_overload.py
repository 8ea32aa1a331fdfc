"""More work than can be done: some is refused at once, the rest is answered in time."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.main import create_app
from api.service import Service
from api.settings import Settings
from bundles import bars
from calls import connect, image, problem, serve
from recognizer.decode import LogProbs
from recognizer.recognizer import Recognizer


@pytest.fixture
def make(tmp_path: Path, bundle: Callable[..., Path]) -> Callable[..., FastAPI]:
    def make(**settings: Any) -> FastAPI:
        app = create_app(Settings(model_cache_dir=tmp_path, inference_threads=1, **settings))
        serve(app, bundle("a"))
        return app

    return make


@contextmanager
def held(app: FastAPI) -> Iterator[threading.Event]:
    """Keep every inference from ending until the event is set."""
    go_on = threading.Event()
    recognizer: Recognizer = service(app).serving.current().recognizer
    infer = recognizer.infer

    def slow(*args: object, **kwargs: object) -> list[LogProbs]:
        go_on.wait(30)
        return infer(*args, **kwargs)  # type: ignore[arg-type]

    recognizer.infer = slow  # type: ignore[method-assign]
    try:
        yield go_on
    finally:
        go_on.set()


def service(app: FastAPI) -> Service:
    found: Service = app.state.service
    return found


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


def number(text: str, line: str) -> float:
    return next(float(each.split()[-1]) for each in text.splitlines() if each.startswith(line))


async def test_what_finds_the_queue_full_is_refused_and_the_rest_is_read(
    make: Callable[..., FastAPI],
) -> None:
    app = make(max_queue_images=5)
    async with connect(app) as client:
        with held(app) as go_on:
            accepted = [
                asyncio.create_task(client.post("/predict", files=image("a" * (1 + index))))
                for index in range(5)
            ]
            await until(lambda: service(app).admission.inside == 5)
            for path in ("/predict", "/predict/json", "/predict/batch"):
                answer = await client.post(path, content=b"not even looked at")
                problem(answer, 503, "overloaded")
                assert int(answer.headers["retry-after"]) >= 1
            assert (await client.get("/health/ready")).status_code == 200
            text = (await client.get("/metrics")).text
            assert number(text, "handwriting_queue_images") == 5
            assert number(text, 'handwriting_shed_requests_total{reason="queue"}') == 3
            go_on.set()
        texts = [(await answer).json()["text"] for answer in accepted]
        assert texts == ["a", "aa", "aaa", "aaaa", "aaaaa"]
        assert (await client.post("/predict", files=image())).status_code == 200
        assert number((await client.get("/metrics")).text, "handwriting_queue_images") == 0


async def test_a_full_queue_refuses_what_takes_images_and_nothing_else(
    make: Callable[..., FastAPI],
) -> None:
    app = make(max_queue_images=1, image_url_hosts="images.example.org")
    async with connect(app) as client:
        with held(app) as go_on:
            accepted = asyncio.create_task(client.post("/predict", files=image()))
            await until(lambda: service(app).admission.inside == 1)
            assert (await client.get("/corrections")).status_code == 200
            address = "/predict?image_url=https://images.example.org/1.png"
            for method in ("GET", "HEAD"):
                assert (await client.request(method, address)).status_code == 503
            problem(await client.post("/corrections", files=image()), 503, "overloaded")
            go_on.set()
        assert (await accepted).status_code == 200


async def test_what_arrives_while_the_queue_fills_is_refused_after_its_upload(
    make: Callable[..., FastAPI],
) -> None:
    app = make(max_queue_images=2)
    async with connect(app) as client:
        with held(app) as go_on:
            posts = [asyncio.create_task(client.post("/predict", files=image())) for _ in range(6)]
            await until(lambda: sum(post.done() for post in posts) == 4)
            go_on.set()
        statuses = sorted([(await post).status_code for post in posts])
    assert statuses == [200, 200, 503, 503, 503, 503]


async def test_a_batch_that_finds_the_queue_full_after_its_upload_is_refused(
    make: Callable[..., FastAPI],
) -> None:
    app = make(max_queue_images=2)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n'
        begun.set()
        await go_on.wait()
        yield bars("aa") + b"\r\n--x--\r\n"

    async with connect(app) as client:
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        batch = asyncio.create_task(
            client.post("/predict/batch", content=body(), headers=kind, timeout=20)
        )
        await begun.wait()
        with held(app):
            posts = [asyncio.create_task(client.post("/predict", files=image())) for _ in range(2)]
            await until(lambda: service(app).admission.inside == 2)
            go_on.set()
            problem(await batch, 503, "overloaded")
        assert [(await post).status_code for post in posts] == [200, 200]


async def test_a_batch_let_in_is_read_whole_whatever_the_queue_holds(
    make: Callable[..., FastAPI],
) -> None:
    app = make(max_queue_images=1)
    files = [("images", bars("a" * (1 + index % 5))) for index in range(40)]
    async with connect(app) as client:
        found = (await client.post("/predict/batch", files=files)).json()["results"]
    assert [item["reading"]["text"] for item in found] == ["a" * (1 + n % 5) for n in range(40)]


@pytest.mark.parametrize(("room", "inside"), [(1, 1), (6, 3), (100, 16)])
async def test_a_batch_leaves_room_for_others_however_few_may_be_inside(
    make: Callable[..., FastAPI], room: int, inside: int
) -> None:
    app = make(max_queue_images=room)
    admission = service(app).admission
    async with connect(app) as client:
        with held(app) as go_on:
            files = [("images", bars("a"))] * 20
            batch = asyncio.create_task(client.post("/predict/batch", files=files))
            await until(lambda: admission.inside == inside)
            await asyncio.sleep(0.05)
            assert admission.inside == inside
            go_on.set()
        assert all(item["reading"] for item in (await batch).json()["results"])


async def test_an_image_past_its_deadline_is_refused_and_the_next_is_read(
    make: Callable[..., FastAPI],
) -> None:
    app = make(request_seconds=0.3)
    async with connect(app) as client:
        with held(app):
            answer = await client.post("/predict", files=image())
        assert "not read within 0.3 s" in problem(answer, 503, "overloaded")["detail"]
        assert int(answer.headers["retry-after"]) >= 1
        await until(lambda: service(app).admission.inside == 0)
        assert (await client.post("/predict", files=image("aa"))).json()["text"] == "aa"
        text = (await client.get("/metrics")).text
    assert number(text, 'handwriting_shed_requests_total{reason="deadline"}') == 1


async def test_while_stopping_health_says_so_and_nothing_new_is_read(
    make: Callable[..., FastAPI],
) -> None:
    app = make()
    async with connect(app) as client:
        with held(app) as go_on:
            accepted = asyncio.create_task(client.post("/predict", files=image()))
            await until(lambda: service(app).admission.inside == 1)
            service(app).admission.draining = True
            problem(await client.post("/predict", files=image()), 503, "stopping")
            answer = await client.get("/health/ready")
            assert answer.status_code == 503
            assert answer.json()["status"] == "draining"
            assert (await client.get("/health/live")).status_code == 200
            go_on.set()
        assert (await accepted).status_code == 200


async def test_an_image_in_flight_ends_on_the_version_it_began_with(
    make: Callable[..., FastAPI], bundle: Callable[..., Path]
) -> None:
    app = make()
    async with connect(app) as client:
        with held(app) as go_on:
            early = [asyncio.create_task(client.post("/predict", files=image())) for _ in range(4)]
            await until(lambda: service(app).admission.inside == 4)
            serve(app, bundle("b"))
            late = asyncio.create_task(client.post("/predict", files=image()))
            await until(lambda: service(app).admission.inside == 5)
            go_on.set()
        assert [(await post).json()["text"] for post in early] == ["aa a"] * 4
        assert (await late).json()["text"] == "bb b"


async def test_images_of_one_width_are_read_together_and_each_as_alone(
    make: Callable[..., FastAPI],
) -> None:
    app = make()
    texts = ["a", "aa", "a a", "aaaa", "aa a", "a" * 12, "a" * 20]
    async with connect(app) as client:
        alone = [(await client.post("/predict", files=image(text))).json() for text in texts]
        with held(app) as go_on:
            first = asyncio.create_task(client.post("/predict", files=image("a")))
            await until(lambda: service(app).admission.inside == 1)
            posts = [asyncio.create_task(client.post("/predict", files=image(t))) for t in texts]
            await until(lambda: service(app).admission.inside == 8)
            await asyncio.sleep(0.1)  # for the last to be prepared
            go_on.set()
        assert (await first).status_code == 200
        together = [(await post).json() for post in posts]
        metrics = (await client.get("/metrics")).text
    for key in ("text", "confidence", "lines"):
        assert [found[key] for found in together] == [found[key] for found in alone]
    batches = number(metrics, "handwriting_batch_images_count")
    assert number(metrics, "handwriting_batch_images_sum") == 15
    assert batches < 15


async def test_readings_are_counted_for_drift(client: httpx.AsyncClient) -> None:
    await client.post("/predict", files=image("aa a"))
    await client.post("/predict", files=image(""))
    text = (await client.get("/metrics")).text
    assert number(text, 'handwriting_text_characters_bucket{le="0.0"}') == 1
    assert number(text, "handwriting_text_characters_sum") == 4
    assert number(text, "handwriting_confidence_count") == 2
    assert 0 < number(text, "handwriting_ink_share_sum") < 1
