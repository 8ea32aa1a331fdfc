"""Uploads above the limit, against a real server: refused early and never held in memory."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from bundles import bars, make_bundle
from calls import fill_cache, problem
from servers import Api, wait

MEGABYTE = 1_000_000
REGISTRY = "http://127.0.0.1:9"  # nothing listens there: the model comes from the disk cache


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    path = tmp_path_factory.mktemp("api")
    bundle = make_bundle(path / "bundle").path
    fill_cache(path / "cache", bundle, REGISTRY, "models:/handwriting/Production")
    with Api(path, MLFLOW_TRACKING_URI=REGISTRY) as server:
        server.wait_ready()
        yield server


@pytest.fixture(autouse=True)
def stays_small_and_goes_on(api: Api) -> Iterator[None]:
    assert api.process
    process = psutil.Process(api.process.pid)
    before = process.memory_info().rss
    yield
    assert process.memory_info().rss - before < 40 * MEGABYTE
    answer = httpx.post(f"{api.uri}/predict", files={"image": bars("aa")})
    assert answer.json()["text"] == "aa"


def part(megabytes: int) -> Iterator[bytes]:
    yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    for _ in range(megabytes):
        yield bytes(MEGABYTE)
    yield b"\r\n--x--\r\n"


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/predict/json"])
def test_200_mb_in_chunks(api: Api, path: str) -> None:
    kind = "application/json" if path.endswith("json") else "multipart/form-data; boundary=x"
    answer = httpx.post(
        f"{api.uri}{path}", content=part(200), headers={"content-type": kind}, timeout=60
    )
    assert "too large: at most" in problem(answer, 413, "too-many-bytes")["detail"]


def test_200_mb_with_their_length(api: Api) -> None:
    body = list(part(200))
    headers = {
        "content-type": "multipart/form-data; boundary=x",
        "content-length": str(sum(map(len, body))),
    }
    answer = httpx.post(f"{api.uri}/predict", content=iter(body), headers=headers, timeout=60)
    problem(answer, 413, "too-many-bytes")


def test_the_length_alone_is_enough(api: Api) -> None:
    connection = http.client.HTTPConnection(api.uri.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(200 * MEGABYTE))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_file_just_above_the_limit(api: Api) -> None:
    answer = httpx.post(f"{api.uri}/predict", files={"image": bytes(10 * MEGABYTE + 1)})
    assert "at most 10000000" in problem(answer, 413, "too-many-bytes")["detail"]


def test_the_server_started_from_its_cache(api: Api) -> None:
    wait(lambda: httpx.get(f"{api.uri}/model").json()["registry_error"] is not None)
    found = httpx.get(f"{api.uri}/model").json()
    assert found["from_cache"] is True
    assert found["registry_error"].startswith(f"The registry at {REGISTRY} ")
    assert "keeps answering" in httpx.get(f"{api.uri}/health").json()["reasons"][0]


def test_no_traceback_was_logged(api: Api, tmp_path: Path) -> None:
    assert "Traceback" not in api.log.read_text()
