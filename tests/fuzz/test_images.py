"""Wrong image files over HTTP: each is answered, in time, and the process stays as it was."""

import itertools
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import psutil
import pytest

from bundles import bars
from mutations import mutant
from servers import Api

CLIENTS = 4
SECONDS = 10.0
"""The most for one image, also where the machine does other work."""

WARM_UP = 0.2
"""Share of a run before memory is looked at: the largest images come in it, too."""

GROWTH = 0.1
ALLOWANCE = 20_000_000
"""Bytes that the allocator may keep of one large image, besides."""


@dataclass
class Run:
    """What a run of images was answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    lock: threading.Lock = field(default_factory=threading.Lock)

    def post(self, client: httpx.Client, number: int) -> None:
        name, file = mutant(number)
        began = time.monotonic()
        try:
            answer = client.post("/predict", files={"image": file}, timeout=SECONDS)
        except httpx.HTTPError as error:
            self._add(0, f"image {number} ({name}): {error!r}", time.monotonic() - began)
            return
        took = time.monotonic() - began
        known = answer.status_code in (200, 400, 413, 415)
        trouble = "" if known else f"image {number} ({name}): {answer.status_code} {answer.text}"
        self._add(answer.status_code, trouble, took, f"image {number} ({name})")

    def _add(self, status: int, trouble: str, took: float, what: str = "") -> None:
        with self.lock:
            self.statuses[status] += 1
            self.wrong += [trouble] if trouble else []
            self.slowest = max(self.slowest, (took, what))


def post_all(api: Api, numbers: range) -> Run:
    run = Run()
    with httpx.Client(base_url=api.uri) as client, ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(run.post, itertools.repeat(client), numbers))
    return run


def check(api: Api, count: int, first: int) -> None:
    assert api.process
    process = psutil.Process(api.process.pid)
    started = process.create_time()
    begun = first + round(WARM_UP * count)
    post_all(api, range(first, begun))
    before = process.memory_info().rss
    run = post_all(api, range(begun, first + count))
    after = process.memory_info().rss
    print(
        f"{count} images: {dict(sorted(run.statuses.items()))}; slowest {run.slowest[0]:.2f} s "
        f"({run.slowest[1]}); {before / 1e6:.0f} MB before, {after / 1e6:.0f} MB after"
    )
    assert run.wrong == []
    # a fuzzer whose files are all refused at once, or all sound, tests nothing
    assert run.statuses[200] > 0.1 * count
    assert run.statuses[400] > 0.3 * count
    assert after - before < GROWTH * before + ALLOWANCE
    assert process.is_running()
    assert process.create_time() == started
    assert "Traceback" not in api.log.read_text(errors="replace")
    answer = httpx.post(f"{api.uri}/predict", files={"image": bars("aa a")}, timeout=SECONDS)
    assert answer.json()["text"] == "aa a"


def test_some_wrong_images(api: Api) -> None:
    check(api, 600, first=0)


@pytest.mark.slow
def test_ten_thousand_wrong_images(api: Api) -> None:
    check(api, 10_000, first=1_000_000)


def test_a_number_always_makes_the_same_image() -> None:
    assert [mutant(number) for number in range(40)] == [mutant(number) for number in range(40)]
    assert len({mutant(number)[1] for number in range(200)}) > 190
