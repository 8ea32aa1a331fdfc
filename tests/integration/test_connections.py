"""Clients that go away, and a service that is stopped, with a real server between."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from bundles import bars, make_bundle
from calls import fill_cache
from pictures import encode
from servers import Api, wait

REGISTRY = "http://127.0.0.1:9"  # nothing listens there: the model comes from the disk cache
POSTS = 'handwriting_requests_total{method="POST",route="/predict"'
GONE = f'{POSTS},status="499"}}'


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """One worker: what several share is tested in `test_workers.py`."""
    bundle = make_bundle(tmp_path / "bundle").path
    fill_cache(tmp_path / "cache", bundle, REGISTRY, "models:/handwriting/Production")
    settings = {"INFERENCE_THREADS": "1", "MAX_QUEUE_IMAGES": "60", "QUEUE_SECONDS": "60"}
    settings |= {"WORKERS": "1", "MLFLOW_TRACKING_URI": REGISTRY}
    with Api.as_started(tmp_path, **settings) as server:
        server.wait_ready()
        yield server


def slow_image() -> bytes:
    """Takes long to decode and to prepare, and is read as nothing."""
    noise = np.random.default_rng(1).integers(150, 255, (2000, 4000), np.uint8)
    return encode(noise, "PNG", compress_level=1)


def metric(api: Api, line: str) -> float:
    text = httpx.get(f"{api.uri}/metrics").text
    return sum(float(each.split()[-1]) for each in text.splitlines() if each.startswith(line))


def request(body: bytes) -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    whole = part + body + b"\r\n--x--\r\n"
    head = "POST /predict HTTP/1.1\r\nHost: api\r\nContent-Type: multipart/form-data; boundary=x"
    return f"{head}\r\nContent-Length: {len(whole)}\r\n\r\n".encode() + whole


def test_work_for_a_client_that_went_away_is_dropped(api: Api) -> None:
    host, port = api.uri.removeprefix("http://").split(":")
    body = request(slow_image())
    for _ in range(12):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(body)
            time.sleep(0.02)
    deadline = time.monotonic() + 30
    while metric(api, POSTS) < 12 and time.monotonic() < deadline:
        time.sleep(0.1)
    # some may have been read before their client was seen to be gone; none is waited for
    assert metric(api, GONE) >= 8
    assert metric(api, "handwriting_queue_images") == 0
    assert metric(api, 'handwriting_stage_seconds_count{stage="infer"}') < 12
    answer = httpx.post(f"{api.uri}/predict", files={"image": bars("aa")}, timeout=30)
    assert answer.json()["text"] == "aa"


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/predict", "multipart/form-data; boundary=x", b"--x\r\nContent-Disp"),
        ("/predict/batch", "multipart/form-data; boundary=x", b"--x\r\nContent-Disp"),
        ("/predict/json", "application/json", b'{"image": "iVBORw0'),
    ],
)
def test_who_goes_away_within_a_request_gets_the_blame(
    api: Api, path: str, kind: str, body: bytes
) -> None:
    host, port = api.uri.removeprefix("http://").split(":")
    head = f"POST {path} HTTP/1.1\r\nHost: api\r\nContent-Type: {kind}\r\nContent-Length: 5000\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + b"\r\n" + body)
        time.sleep(0.2)
    counted = f'handwriting_requests_total{{method="POST",route="{path}"'
    wait(lambda: metric(api, counted) == 1)
    assert metric(api, f'{counted},status="499"') == 1


async def test_what_was_accepted_is_finished_when_the_service_is_stopped(api: Api) -> None:
    assert api.process
    body = slow_image()
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=api.uri, timeout=60, limits=limits) as client:
        # as a line: to look for lines in noise as well would take longer than may be waited
        slow = partial(client.post, "/predict?level=line", files={"image": body})
        posts = [asyncio.create_task(slow())]
        posts += [
            asyncio.create_task(client.post("/predict", files={"image": bars("aa")}))
            for _ in range(20)
        ]
        posts += [asyncio.create_task(slow()) for _ in range(4)]
        async with asyncio.timeout(30):
            while (await asyncio.to_thread(metric, api, "handwriting_queue_images")) < 3:
                await asyncio.sleep(0.01)
        os.kill(api.process.pid, signal.SIGTERM)
        seen = set()
        with suppress(httpx.TransportError):  # in the end nothing listens any more
            while True:
                seen.add((await client.get("/health/ready")).status_code)
                await asyncio.sleep(0.01)
        answers = [await post for post in posts]
    assert seen <= {200, 503}
    assert 503 in seen
    # each was either accepted and read, or refused as it came too late; none was cut off
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert sum(answer.status_code == 200 for answer in answers) >= 3
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["type"] == "urn:handwriting:problem:stopping"
    assert await asyncio.to_thread(api.process.wait, 20) in (0, -signal.SIGTERM)
    read = sum(answer.status_code == 200 for answer in answers)
    assert api.log.read_text().count('"path": "/predict"') == read  # the last ones, too


def test_a_second_signal_ends_it_at_once(api: Api) -> None:
    assert api.process
    host, port = api.uri.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request(b"x" * 1000)[:-500])  # an upload that never ends
        time.sleep(0.3)
        os.kill(api.process.pid, signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            api.process.wait(1)
        began = time.monotonic()
        os.kill(api.process.pid, signal.SIGTERM)
        api.process.wait(20)
        assert time.monotonic() - began < 10


def test_two_signals_of_a_keyboard_leave_no_process_behind(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle").path
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the registry is asked all the while
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        fill_cache(tmp_path / "cache", bundle, uri, "models:/handwriting/Production")
        with Api.as_started(tmp_path, WORKERS="1", MLFLOW_TRACKING_URI=uri) as server:
            server.wait_ready()
            assert server.process
            process = psutil.Process(server.process.pid)
            wait(lambda: len(process.children()) == 2)  # multiprocessing has one of its own
            children = process.children()
            silent.accept()[0].close()  # it is at work: by now it has all its handlers
            host, port = server.uri.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(request(b"x" * 1000)[:-500])
                time.sleep(0.3)
                # the first lets this upload go on, the second does not, the third closes nothing
                for _ in range(3):
                    server.process.send_signal(signal.SIGINT)
                    time.sleep(0.2)
                server.process.wait(5)
            _, alive = psutil.wait_procs(children, timeout=5)
            assert alive == []
