"""What a free worker is given, out of the images that wait."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from api.batcher import MOST_COLUMNS, MOST_IMAGES, Batcher
from api.job import Asked, Job
from api.serving import Served
from calls import VERSION
from recognizer.prepare import Prepared
from recognizer.recognizer import Recognizer


@pytest.fixture
def versions(bundle: Callable[..., Path]) -> list[Served]:
    return [Served(VERSION, Recognizer.load(bundle(letter)), datetime.now(UTC)) for letter in "ab"]


class Waiting:
    """Jobs that have been prepared one after another."""

    def __init__(self) -> None:
        self.clock = 0.0

    def job(self, model: Served, width: int) -> Job:
        loop = asyncio.get_running_loop()
        asked = Asked("auto", "greedy", 0)
        made = Job(model, b"", asked, loop, loop.create_future())
        made.ready = Prepared(np.zeros((32, width), np.float32), scale=1.0, left=8)
        self.clock += 1
        made.prepared_at = self.clock
        return made


async def test_a_lone_image_goes_at_once(versions: list[Served]) -> None:
    batcher, job = Batcher(workers=2), Waiting().job(versions[0], 256)
    assert batcher.put(job)
    batch = batcher.take()
    assert batch is not None
    assert batch.jobs == [job]
    assert batcher.take() is None


async def test_a_batch_is_of_one_width_and_one_version(versions: list[Served]) -> None:
    batcher, waiting = Batcher(workers=1), Waiting()
    first, second = versions
    jobs = [
        waiting.job(version, width)
        for version, width in [(first, 256), (second, 256), (first, 512), (first, 256)]
    ]
    for job in jobs:
        batcher.put(job)
    batches = [batcher.take() for _ in range(3)]
    assert [batch and batch.jobs for batch in batches] == [[jobs[0], jobs[3]], [jobs[1]], [jobs[2]]]
    assert [batch and batch.recognizer for batch in batches] == [
        first.recognizer,
        second.recognizer,
        first.recognizer,
    ]
    assert batcher.take() is None


async def test_whoever_has_waited_longest_is_next_however_many_others_wait(
    versions: list[Served],
) -> None:
    batcher, waiting = Batcher(workers=1), Waiting()
    early = waiting.job(versions[0], 1024)
    batcher.put(early)
    for _ in range(20):
        batcher.put(waiting.job(versions[0], 256))
    batch = batcher.take()
    assert batch is not None
    assert batch.jobs == [early]


@pytest.mark.parametrize("width", [16, 128, 256, 512, 1024, 4096])
async def test_a_batch_has_bounds(versions: list[Served], width: int) -> None:
    batcher, waiting = Batcher(workers=1), Waiting()
    for _ in range(40):
        batcher.put(waiting.job(versions[0], width))
    batch = batcher.take()
    assert batch is not None
    assert 1 <= len(batch.jobs) <= MOST_IMAGES
    assert len(batch.jobs) == 1 or len(batch.jobs) * width <= MOST_COLUMNS


async def test_no_more_workers_are_started_than_may_be(versions: list[Served]) -> None:
    batcher, waiting = Batcher(workers=2), Waiting()
    assert [batcher.put(waiting.job(versions[0], 256)) for _ in range(5)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert batcher.take() is not None
    assert batcher.take() is None  # and that worker ends
    assert batcher.put(waiting.job(versions[0], 256))


async def test_what_nobody_waits_for_is_dropped(versions: list[Served]) -> None:
    batcher, waiting = Batcher(workers=1), Waiting()
    jobs = [waiting.job(versions[0], width) for width in (256, 256, 512)]
    for job in jobs:
        batcher.put(job)
    jobs[0].abandoned = jobs[2].abandoned = True
    batch = batcher.take()
    assert batch is not None
    assert batch.jobs == [jobs[1]]
    assert batcher.take() is None


async def test_a_worker_rests_when_nothing_waits(versions: list[Served]) -> None:
    batcher, waiting = Batcher(workers=1), Waiting()
    for width in (256, 512):
        batcher.put(waiting.job(versions[0], width))
    assert batcher.take() is not None
    assert not batcher.rests()
    assert not batcher.put(waiting.job(versions[0], 512))  # it is still at work
    assert batcher.take() is not None
    assert batcher.rests()
    assert batcher.put(waiting.job(versions[0], 256))
