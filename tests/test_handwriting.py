"""The client: against a real API, and against answers that an API gives when it is in trouble."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

import handwriting
from api.keys import make
from bundles import bars, make_bundle
from calls import fill_cache
from handwriting import TOGETHER, AsyncClient, Client, Item, RefusedError, UnreachableError
from servers import Api, free_port

REGISTRY = "http://127.0.0.1:9"  # nothing listens there: the model comes from the disk cache

Answers = Callable[..., httpx.MockTransport]


@pytest.fixture(scope="module")
def key_and_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Api]]:
    path = tmp_path_factory.mktemp("api")
    bundle = make_bundle(path / "bundle").path
    fill_cache(path / "cache", bundle, REGISTRY, "models:/handwriting/Production")
    key, entry = make("tests")
    with Api(path, MLFLOW_TRACKING_URI=REGISTRY, API_KEYS=entry) as server:
        server.wait_ready()
        yield key, server


@pytest.fixture
def client(key_and_api: tuple[str, Api]) -> Iterator[Client]:
    key, api = key_and_api
    with Client(api.uri, key=key) as client:
        yield client


def test_reads_bytes_and_files(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "bars.png"
    file.write_bytes(bars("aa a"))
    for image in (file.read_bytes(), file, str(file)):
        read = client.read(image)
        assert read.text == "aa a"
        assert [word.text for word in read.lines[0].words] == ["aa", "a"]
        assert read.lines[0].words[0].box[0] < read.lines[0].words[1].box[0]
        assert 0 < read.confidence <= 1
        assert (read.model.name, read.model.version) == ("handwriting", "1")
        assert read.request_id
    assert client.model()["version"] == "1"


def test_what_is_asked_arrives(client: Client) -> None:
    read = client.read(bars("aa"), level="word", decoder="beam", alternatives=2)
    assert read.text == "aa"
    assert len(read.alternatives) == 2
    with pytest.raises(RefusedError, match="does not offer decoder=lexicon") as refused:
        client.read(bars("aa"), decoder="lexicon")
    assert refused.value.problem.status == 422


def test_many_images_take_several_requests_and_keep_their_order(client: Client) -> None:
    texts = ["a" * (1 + number % 5) for number in range(2 * TOGETHER + 3)]
    images: list[bytes] = [bars(text) for text in texts]
    images[TOGETHER + 1] = b"no image"
    items = list(client.read_many(iter(images)))
    assert [item.index for item in items] == list(range(len(texts)))
    broken = items.pop(TOGETHER + 1)
    texts.pop(TOGETHER + 1)
    assert broken.reading is None
    assert broken.problem
    assert broken.problem.type == "urn:handwriting:problem:unsupported-image"
    assert [item.reading.text for item in items if item.reading] == texts


def test_large_images_take_a_request_each(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    ask = client._ask
    monkeypatch.setattr(handwriting, "MOST_BYTES", 2 * len(bars("aaa")))
    monkeypatch.setattr(client, "_ask", lambda call: sent.append(len(call["files"])) or ask(call))
    items = list(client.read_many([bars("aaa")] * 3 + [bars("aaa") + bytes(5000)] + [bars("a")]))
    assert [item.reading.text for item in items if item.reading] == [*["aaa"] * 4, "a"]
    assert sent == [2, 1, 1, 1]


async def test_the_same_for_an_event_loop(key_and_api: tuple[str, Api]) -> None:
    key, api = key_and_api
    async with AsyncClient(api.uri, key=key) as client:
        assert (await client.read(bars("aa a"))).text == "aa a"
        items = [item async for item in client.read_many([bars("a"), b"no image"])]
        assert [bool(item.reading) for item in items] == [True, False]
        assert (await client.model())["version"] == "1"
        with pytest.raises(RefusedError, match="switched off"):
            await client.read_url("https://images.example.org/a.png")
    with pytest.raises(UnreachableError):
        async with AsyncClient(f"http://127.0.0.1:{free_port()}", patience=0) as client:
            await client.model()


def test_a_problem_is_told_and_not_asked_again(key_and_api: tuple[str, Api]) -> None:
    _, api = key_and_api
    began = time.monotonic()
    with Client(api.uri, key="wrong") as client, pytest.raises(RefusedError) as refused:
        client.read(bars("a"))
    assert refused.value.problem.status == 401
    assert refused.value.problem.request_id
    assert time.monotonic() - began < 0.5
    with Client(api.uri) as client, pytest.raises(FileNotFoundError):
        client.read("nowhere.png")
    with pytest.raises(ValueError, match="must begin with http"):
        Client("localhost:8000")


@pytest.fixture
def answers() -> Answers:
    """A transport that gives these answers, the last one for ever; `.seen` counts them."""

    def make(*given: httpx.Response | Exception) -> httpx.MockTransport:
        def answer(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            found = given[min(len(seen), len(given)) - 1]
            if isinstance(found, Exception):
                raise found
            # a copy: a client binds what it is given to itself
            return httpx.Response(found.status_code, headers=found.headers, content=found.content)

        seen: list[httpx.Request] = []
        transport = httpx.MockTransport(answer)
        transport.seen = seen  # type: ignore[attr-defined]
        return transport

    return make


MODEL = httpx.Response(200, json={"version": "1"})


def busy(retry_after: str | None) -> httpx.Response:
    problem = {"title": "Overloaded", "status": 503, "detail": "64 images are waiting already."}
    headers = {"Retry-After": retry_after} if retry_after else {}
    return httpx.Response(503, json=problem, headers=headers)


def test_a_busy_service_is_asked_again_when_it_says(answers: Answers) -> None:
    began = time.monotonic()
    with Client(transport=answers(busy("1"), busy("0"), MODEL)) as client:
        assert client.model() == {"version": "1"}
    assert 1 <= time.monotonic() - began < 1.5


def read(text: str, index: int) -> dict[str, Any]:
    reading = {
        "text": text,
        "confidence": 0.9,
        "level": "word",
        "decoder": "greedy",
        "width": 9,
        "height": 9,
        "lines": [],
        "alternatives": [],
    }
    return {"index": index, "reading": reading}


def late(index: int, status: int = 503) -> dict[str, Any]:
    return {"index": index, "problem": {"title": "Too late", "status": status}}


def batch(*results: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json={"results": results})


ROUNDS = (
    batch(read("a", 0), late(1), late(2, 415), late(3)),
    busy("0"),
    batch(late(0), read("d", 1)),
    batch(read("b", 0)),
)
"""Of four images the second is asked for four times, the last three times."""


def sizes(transport: httpx.MockTransport) -> list[int]:
    """How many images each request had."""
    seen: list[httpx.Request] = transport.seen  # type: ignore[attr-defined]
    return [request.read().count(b'name="images"') for request in seen]


def told(items: Iterable[Item]) -> list[tuple[int, str | int]]:
    return [
        (item.index, item.reading.text if item.reading else item.problem.status)
        for item in items
        if item.reading or item.problem
    ]


def test_of_several_images_those_it_was_too_busy_for_are_asked_again(answers: Answers) -> None:
    transport = answers(*ROUNDS)
    with Client(transport=transport) as client:
        found = told(client.read_many([b"1", b"2", b"3", b"4"]))
    assert found == [(0, "a"), (1, "b"), (2, 415), (3, "d")]
    assert sizes(transport) == [4, 2, 2, 1]


async def test_those_too_by_the_event_loop(answers: Answers) -> None:
    transport = answers(*ROUNDS)
    async with AsyncClient(transport=transport) as client:
        items = [item async for item in client.read_many([b"1", b"2", b"3", b"4"])]
    assert told(items) == [(0, "a"), (1, "b"), (2, 415), (3, "d")]
    assert sizes(transport) == [4, 2, 2, 1]


@pytest.mark.parametrize("then", [batch(late(0)), busy("60"), httpx.ReadError("reset")])
def test_what_was_read_is_kept_where_the_rest_stays_busy(
    answers: Answers, then: httpx.Response | Exception
) -> None:
    with Client(transport=answers(batch(read("a", 0), late(1)), then), patience=0.8) as client:
        assert told(client.read_many([b"1", b"2"])) == [(0, "a"), (1, 503)]
    with Client(transport=answers(busy("60")), patience=0.8) as client, pytest.raises(RefusedError):
        list(client.read_many([b"1", b"2"]))


async def test_and_by_the_event_loop(answers: Answers) -> None:
    began = time.monotonic()
    async with AsyncClient(transport=answers(busy("1"), MODEL)) as client:
        assert await client.model() == {"version": "1"}
    assert 1 <= time.monotonic() - began < 1.5


def test_a_broken_connection_is_tried_again(answers: Answers) -> None:
    transport = answers(httpx.ReadError("reset"), MODEL)
    with Client(transport=transport) as client:
        assert client.model() == {"version": "1"}
    assert len(transport.seen) == 2  # type: ignore[attr-defined]


def test_a_wait_beyond_its_patience_is_not_begun(answers: Answers) -> None:
    began = time.monotonic()
    with (
        Client(transport=answers(busy("30")), patience=5) as client,
        pytest.raises(RefusedError, match="64 images") as refused,
    ):
        client.model()
    assert refused.value.retry_after == 30
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(404, text="<html>no such page"), "no such page"),
        (httpx.Response(200, text="not JSON"), "not JSON"),
        (httpx.Response(400, json={"error": "of another service"}), "of another service"),
    ],
)
def test_answers_of_something_else_are_refusals(
    answers: Answers, answer: httpx.Response, says: str
) -> None:
    with Client(transport=answers(answer)) as client, pytest.raises(RefusedError, match=says):
        client.model()


def test_the_command_line_asks_an_api(key_and_api: tuple[str, Api], tmp_path: Path) -> None:
    from trainer.cli import app

    key, api = key_and_api
    (tmp_path / "bars.png").write_bytes(bars("aa a"))
    (tmp_path / "text.png").write_text("no picture")
    files = [str(tmp_path / name) for name in ("bars.png", "text.png", "missing.png")]
    done = CliRunner().invoke(app, ["predict", "--url", api.uri, *files], env={"API_KEY": key})
    assert done.exit_code == 1
    assert f"{files[0]}\t" in done.output
    assert "\taa a\n" in done.output
    assert "text.png: Not an image" in done.output
    assert "missing.png" in done.output
    done = CliRunner().invoke(app, ["predict", "--url", api.uri, "-m", "models:/a/1", files[0]])
    assert "leave out --model" in done.output
    done = CliRunner().invoke(app, ["predict", "--url", "localhost:8000", files[0]])
    assert "must begin with http" in done.output
