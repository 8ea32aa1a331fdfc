"""Prepared images that wait for the network, put together by width."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from api.job import Job
from recognizer.recognizer import Recognizer

MOST_IMAGES = 16
MOST_COLUMNS = 4096
"""Of a batch. Beyond, the time of an image does not fall any more: narrow ones have gained a fifth,
those of 1024 columns less than a tenth; and whoever comes next waits for the whole batch."""


@dataclass(frozen=True)
class Batch:
    """Images of one width, for one version of the network."""

    recognizer: Recognizer
    jobs: list[Job]


class Batcher:
    """Gives a free worker the batch of whoever has waited longest. Safe to share by threads.

    Nobody waits for company: a batch is what waits when a worker gets free, so that an image that
    comes alone goes at once, and batches grow by themselves with the load.
    """

    def __init__(self, workers: int) -> None:
        """`workers`: batches that may be at work at a time."""
        self._most_workers = workers
        self._workers = 0
        self._waiting: dict[tuple[Recognizer, int], deque[Job]] = {}
        self._lock = threading.Lock()

    def put(self, job: Job) -> bool:
        """Add a prepared image. True where the caller has to start a worker for it."""
        key = (job.model.recognizer, job.ready.ink.shape[1])
        with self._lock:
            self._waiting.setdefault(key, deque()).append(job)
            if self._workers == self._most_workers:
                return False
            self._workers += 1
            return True

    def take(self) -> Batch | None:
        """The next batch for a worker; None when nothing waits: the worker then ends."""
        with self._lock:
            self._drop(lambda job: job.abandoned)
            if not self._waiting:
                self._workers -= 1
                return None
            key = min(self._waiting, key=lambda each: self._waiting[each][0].prepared_at)
            recognizer, width = key
            jobs = self._waiting[key]
            most = max(1, min(MOST_IMAGES, MOST_COLUMNS // width))
            taken = [jobs.popleft() for _ in range(min(most, len(jobs)))]
            if not jobs:
                del self._waiting[key]  # it would keep its version of the network alive
            return Batch(recognizer, taken)

    def rests(self) -> bool:
        """Whether nothing waits: the worker that asks then ends, and takes no more."""
        with self._lock:
            if self._waiting:
                return False
            self._workers -= 1
            return True

    def _drop(self, unwanted: Callable[[Job], bool]) -> None:
        for key, jobs in list(self._waiting.items()):
            if any(map(unwanted, jobs)):
                jobs = self._waiting[key] = deque(job for job in jobs if not unwanted(job))
            if not jobs:
                del self._waiting[key]
