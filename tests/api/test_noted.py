"""Numbers that are counted some time after they were noted."""

import asyncio
import errno
import os
import threading

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client import Histogram as Ordinary

from api import metrics as module
from api.metrics import Metrics
from api.noted import Histogram, Noted

BUCKETS = (0.1, 1.0, 5.0)


def test_many_values_at_once_count_as_one_after_another() -> None:
    values = [0.05, 0.1, 0.10001, 1.0, 3.0, 5.0, 5.1, 1e9, 0.0]
    registries = [CollectorRegistry() for _ in range(2)]
    ordinary = Ordinary("h", "h", ["k"], buckets=BUCKETS, registry=registries[0])
    for value in values:
        ordinary.labels("a").observe(value)
    Histogram("h", "h", ["k"], buckets=BUCKETS, registry=registries[1]).labels("a").observe_all(
        values
    )
    one, other = (
        {
            (sample.name, *sample.labels.items()): sample.value
            for metric in registry.collect()
            for sample in metric.samples
            if not sample.name.endswith("_created")
        }
        for registry in registries
    )
    assert len(one) == len(BUCKETS) + 3
    assert one == pytest.approx(other)


def test_several_threads_take_each_value_once() -> None:
    noted, taken = Noted[str](), list[float]()

    def take() -> None:
        for _ in range(300):
            taken.extend(noted.take().get("a", ()))

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(20_000):
        noted.note("a", number)
    for thread in threads:
        thread.join()
    taken.extend(noted.take().get("a", ()))
    assert sorted(taken) == list(range(20_000))


async def test_others_need_not_ask_for_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_COUNTS", 0.01)
    metrics = Metrics()

    def batches() -> float | None:
        return metrics.registry.get_sample_value("handwriting_batch_images_count")

    def inside() -> float | None:
        return metrics.registry.get_sample_value("handwriting_queue_images")

    async with metrics.counting():
        metrics.batch_images.observe(3)
        metrics.inside = 7
        assert (batches(), inside()) == (0, 0)
        async with asyncio.timeout(20):
            while (batches(), inside()) != (1, 7):
                await asyncio.sleep(0.005)
        metrics.batch_images.observe(4)
        metrics.inside = 0
    assert (batches(), inside()) == (2, 0)  # the last ones when it ends


async def test_numbers_that_find_no_room_are_no_end_of_counting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_COUNTS", 0.01)
    metrics = Metrics()
    counter = metrics._requests
    labels = counter.labels

    def full(method: str, *others: str) -> object:
        if method == "ODD":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return labels(method, *others)

    monkeypatch.setattr(counter, "labels", full)
    take = metrics._noted.take
    monkeypatch.setattr(metrics._noted, "take", lambda: 1 / 0)

    def asked() -> float | None:
        names = {"method": "GET", "route": "/model", "status": "200"}
        return metrics.registry.get_sample_value("handwriting_requests_total", names)

    async with metrics.counting():
        metrics.answered("ODD", "/model", 405, 0.1)
        metrics.answered("GET", "/model", 200, 0.1)
        await asyncio.sleep(0.05)
        assert asked() is None
        monkeypatch.setattr(metrics._noted, "take", take)
        async with asyncio.timeout(20):
            while asked() != 1:
                await asyncio.sleep(0.005)
