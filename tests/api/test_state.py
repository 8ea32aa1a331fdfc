"""What the service says of itself: health, model, numbers, request ids, documentation."""

import errno
import io
import json
import os
import re
import threading
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from bundles import bars
from calls import connect, image, logged, problem


async def test_without_a_model_it_lives_and_is_not_ready(empty_app: FastAPI) -> None:
    async with connect(empty_app) as client:
        assert (await client.get("/health/live")).json() == {"status": "alive"}
        for path in ("/health", "/health/ready"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            found = answer.json()
            assert (found["live"], found["ready"], found["model"]) == (True, False, None)
            assert found["reasons"] == ["The registry is being asked for a model."]


async def test_without_a_model_nothing_is_read(empty_app: FastAPI) -> None:
    async with connect(empty_app) as client:
        for answer in (
            await client.post("/predict", files=image()),
            await client.post("/predict/json", json={"image": "aGk="}),
            await client.post("/predict/batch", files={"images": bars("a")}),
        ):
            problem(answer, 503, "no-model")
            assert int(answer.headers["retry-after"]) >= 1
        found = (await client.get("/model")).json()
        assert found["version"] is None
        assert found["model_uri"] == "models:/handwriting/Production"


async def test_with_a_model_it_is_ready(client: httpx.AsyncClient) -> None:
    for path in ("/health", "/health/ready"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.json()["status"] == "ready"
        assert answer.json()["model"]["version"] == "1"
        assert answer.json()["reasons"] == []


async def test_the_model_is_described(client: httpx.AsyncClient) -> None:
    found = (await client.get("/model")).json()
    assert (found["name"], found["version"], found["stage"]) == ("handwriting", "1", "Production")
    assert found["alphabet"] == " abcdefghij"
    assert found["levels"] == ["auto", "word", "line", "page"]
    assert found["decoders"] == ["auto", "greedy", "beam"]
    assert found["limits"]["bytes"] == 4_000_000
    assert found["limits"]["pixels"] == 50_000_000
    assert found["loaded_at"].endswith("Z")
    assert found["reload_error"] is None


async def test_numbers_are_not_summed_up_on_the_event_loop(
    app: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = app.state.service.metrics
    threads: list[threading.Thread] = []
    text = metrics.text

    def noted() -> bytes:
        threads.append(threading.current_thread())
        found: bytes = text()
        return found

    monkeypatch.setattr(metrics, "text", noted)
    answer = await client.get("/metrics")
    assert (answer.status_code, len(threads)) == (200, 1)
    assert threads[0] is not threading.current_thread()


async def test_requests_are_counted_by_route_and_status(client: httpx.AsyncClient) -> None:
    await client.post("/predict", files=image())
    await client.post("/predict", files={"image": b"text"})
    await client.post("/predict/json", content=bytes(9_000_000))  # before it is routed
    await client.get("/nowhere/1")
    await client.get("/nowhere/2")
    text = (await client.get("/metrics")).text
    for line in (
        'handwriting_requests_total{method="POST",route="/predict",status="200"} 1.0',
        'handwriting_requests_total{method="POST",route="/predict",status="415"} 1.0',
        'handwriting_requests_total{method="GET",route="unknown",status="404"} 2.0',
        'handwriting_request_seconds_count{method="POST",route="/predict",status="200"} 1.0',
        'handwriting_requests_total{method="POST",route="/predict/json",status="413"} 1.0',
        'handwriting_stage_seconds_count{stage="infer"} 1.0',
    ):
        assert line in text.splitlines()


async def test_a_request_id_comes_back(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health", headers={"X-Request-ID": "job-7.line:3"})
    assert answer.headers["x-request-id"] == "job-7.line:3"


@pytest.mark.parametrize("given", [None, "", "has space", "x" * 129, "a\x01b", "<script>"])
async def test_an_odd_request_id_is_replaced(client: httpx.AsyncClient, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given}
    found = (await client.get("/health", headers=headers)).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", found)


async def test_each_request_has_one_log_line_with_its_id(
    client: httpx.AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    from api import logs

    logs.configure("INFO", "json")  # capfd has put another standard error in place
    await client.post("/predict", files=image(), headers={"X-Request-ID": "mine"})
    await logged()
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    (found,) = [line for line in lines if line["logger"] != "httpx"]  # the test's own client
    assert found["event"] == "request"
    assert found["request_id"] == "mine"
    assert (found["method"], found["path"], found["status"]) == ("POST", "/predict", 200)
    assert found["model_version"] == "1"
    assert found["ms"] > 0


class FullDisk:
    """What standard error's buffer does when it cannot write."""

    def write(self, _: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def flush(self) -> None:
        raise AssertionError("nothing was written")

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


async def test_a_log_that_cannot_be_written_fails_nothing(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=True), base_url="http://api"
    ) as client:
        monkeypatch.setattr("sys.stderr", SimpleNamespace(buffer=FullDisk()))
        answer = await client.post("/predict", files=image())
        await logged()
        monkeypatch.undo()
    assert answer.status_code == 200


@pytest.mark.parametrize(("level", "lines"), [("DEBUG", 1), ("INFO", 0)])
async def test_health_checks_are_logged_only_on_demand(
    client: httpx.AsyncClient, capfd: pytest.CaptureFixture[str], level: str, lines: int
) -> None:
    from api import logs

    logs.configure(level, "json")
    await client.get("/health/ready")
    await logged()
    found = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["path"] for line in found if line["logger"] == "api.access"] == (
        ["/health/ready"] * lines
    )


async def test_the_first_page_leads_to_the_documentation(client: httpx.AsyncClient) -> None:
    assert 'href="docs"' in (await client.get("/")).text


async def test_examples_of_the_documentation_run(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    body = schema["components"]["schemas"]["ImageBody"]
    (example,) = body["properties"]["image"]["examples"]
    answer = await client.post("/predict/json", json={"image": example})
    assert answer.status_code == 200
    assert answer.json()["lines"][0]["box"] == [0, 0, 86, 40]
    for path in ("/predict", "/predict/batch"):
        content = schema["paths"][path]["post"]["requestBody"]["content"]
        (field,) = content["multipart/form-data"]["schema"]["properties"]
        answer = await client.post(path, files={field: bars("a")})
        assert answer.status_code == 200


async def test_every_field_of_an_answer_has_an_example(client: httpx.AsyncClient) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]

    def has_example(field: dict[str, Any]) -> bool:
        nested = json.dumps({key: field[key] for key in field if key in ("items", "anyOf", "$ref")})
        return "examples" in field or "$ref" in nested or "date-time" in json.dumps(field)

    lacking = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, described in schema.get("properties", {}).items()
        if not has_example(described)
    ]
    assert lacking == []


async def test_documented_problems_refer_to_their_schema(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    responses = schema["paths"]["/predict"]["post"]["responses"]
    assert set(responses) == {"200", "400", "408", "413", "415", "422", "500", "503"}
    assert "Problem" in schema["components"]["schemas"]
    assert "HTTPValidationError" not in json.dumps(schema)
