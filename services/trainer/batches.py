"""Samples made into batches: read, augmented and prepared by worker processes.

The stream of an epoch follows from its seed alone, whatever the number of workers, so a
resumed training sees what the interrupted one would have seen.
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from recognizer.alphabet import Alphabet
from recognizer.manifest import Input
from recognizer.prepare import prepare
from trainer.augment import augment
from trainer.cores import limited
from trainer.datasets.base import Sample
from trainer.mixture import Mixture

log = logging.getLogger(__name__)

CHUNK = 32  # samples handed to a worker at a time
LABEL_STEP = 128  # label matrices grow by this many columns: few shapes, few compilations


@dataclass(frozen=True)
class Batch:
    """Images of one bucket.

    `ink` (images, height, width, 1) float32; `labels` (images, longest) int32, zero-padded;
    `lengths` (images,) int32; `samples` those shown, in order. A last batch of a bucket is
    filled up by repeating its samples; `fresh` says how many are not repeats.
    """

    ink: NDArray[np.float32]
    labels: NDArray[np.int32]
    lengths: NDArray[np.int32]
    samples: tuple[Sample, ...]
    fresh: int


@dataclass(frozen=True)
class _Job:
    sample: Sample
    spec: Input
    seed: tuple[int, ...] | None
    """Of what is random about it; None leaves the image as it is."""
    augmentation: float


class Pipeline:
    """Worker processes that turn samples into batches. Use as a context manager."""

    def __init__(self, spec: Input, alphabet: Alphabet, *, workers: int | None = None) -> None:
        self.spec = spec
        self.alphabet = alphabet
        self.workers = workers or max(1, (limited() or os.cpu_count() or 2) - 1)
        self.skipped: set[str] = set()

    def __enter__(self) -> "Pipeline":
        # not fork: the parent holds TensorFlow's threads
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self.workers, context, _start_worker, (os.getpid(),))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # waited for: at its end Python 3.11 trips over a pool that is half closed
        self._pool.shutdown(cancel_futures=True)

    def batches(
        self,
        samples: Sequence[Sample] | Mixture,
        batch_size: int,
        *,
        epoch: tuple[int, int] | None = None,
        augmentation: float = 1.0,
    ) -> Iterator[Batch]:
        """All samples once, in batches of one bucket each.

        Args:
            samples: or a mixture, of which an epoch shows what it draws, and `None` its first.
            epoch: seed and number of the epoch, which shuffle and augment; None keeps the
                order and the images as they are.
            augmentation: share of its images that an epoch changes.
        """
        if isinstance(samples, Mixture):
            samples = samples.draw(*(epoch or (0, 0)))
        order = np.arange(len(samples))
        if epoch is not None:
            order = np.random.default_rng(epoch).permutation(len(samples))
        jobs = (
            _Job(
                samples[int(index)],
                self.spec,
                (*epoch, int(index)) if epoch is not None else None,
                augmentation,
            )
            for index in order
        )
        waiting: dict[int, list[tuple[Sample, NDArray[np.uint8]]]] = defaultdict(list)
        for sample, ink in self._prepared(jobs):
            if ink is None:
                continue
            bucket = waiting[ink.shape[1]]
            bucket.append((sample, ink))
            if len(bucket) == batch_size:
                yield self._batch(bucket, batch_size)
                bucket.clear()
        for bucket in waiting.values():
            if bucket:
                yield self._batch(bucket, batch_size)

    def _prepared(self, jobs: Iterable[_Job]) -> Iterator[tuple[Sample, NDArray[np.uint8] | None]]:
        """Prepared ink in order; None for a sample that cannot be used."""
        running: deque[tuple[list[_Job], Future[list[NDArray[np.uint8] | str]]]] = deque()
        chunks = _chunks(jobs, CHUNK)
        while True:
            while len(running) < 2 * self.workers + 2 and (chunk := next(chunks, None)):
                running.append((chunk, self._pool.submit(_prepare_all, chunk)))
            if not running:
                return
            chunk, future = running.popleft()
            for job, result in zip(chunk, future.result(), strict=True):
                yield job.sample, self._usable(job.sample, result)

    def _usable(self, sample: Sample, result: NDArray[np.uint8] | str) -> NDArray[np.uint8] | None:
        if isinstance(result, str):
            self._skip(sample, result)
            return None
        # CTC cannot write more labels than it has steps, counting blanks between doubles
        doubles = sum(a == b for a, b in zip(sample.text, sample.text[1:], strict=False))
        steps = result.shape[1] // self.spec.stride
        if len(sample.text) + doubles > steps:
            self._skip(sample, f"{len(sample.text)} characters, which {steps} steps cannot write")
            return None
        return result if sample.text else None

    def _skip(self, sample: Sample, reason: str) -> None:
        """Said once of each sample."""
        if sample.id not in self.skipped:
            log.warning("%s is skipped: %s", sample.id, reason)
            self.skipped.add(sample.id)

    def _batch(self, bucket: list[tuple[Sample, NDArray[np.uint8]]], size: int) -> Batch:
        filled = [bucket[index % len(bucket)] for index in range(size)]
        texts = [self.alphabet.encode(sample.text) for sample, _ in filled]
        longest = -(-max(map(len, texts)) // LABEL_STEP) * LABEL_STEP
        labels = np.zeros((size, longest), np.int32)
        for row, text in zip(labels, texts, strict=True):
            row[: len(text)] = text
        ink = np.stack([pixels for _, pixels in filled]).astype(np.float32) / np.float32(255)
        return Batch(
            ink=ink[..., np.newaxis],
            labels=labels,
            lengths=np.array([len(text) for text in texts], np.int32),
            samples=tuple(sample for sample, _ in filled),
            fresh=len(bucket),
        )


def _chunks(jobs: Iterable[_Job], size: int) -> Iterator[list[_Job]]:
    chunk: list[_Job] = []
    for job in jobs:
        chunk.append(job)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _prepare_all(jobs: list[_Job]) -> list[NDArray[np.uint8] | str]:
    """In a worker: ink as 8-bit (a quarter of the bytes to send), or what went wrong."""
    results: list[NDArray[np.uint8] | str] = []
    for job in jobs:
        try:
            gray = job.sample.image()
            if job.seed is not None:
                rng = np.random.default_rng(job.seed)
                # the coin is not tossed where it decides nothing: old seeds give what they gave
                if job.augmentation >= 1 or rng.random() < job.augmentation:
                    gray = augment(gray, rng)
            results.append(np.rint(prepare(gray, job.spec).ink * 255).astype(np.uint8))
        except Exception as error:
            # missing, broken, or of a shape that OpenCV refuses: no image ends a training
            results.append(str(error) or type(error).__name__)
    return results


def _start_worker(parent: int) -> None:
    """Leave signals to the parent, use one thread, and end when the parent has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # SIGTERM is the pool's own; `timeout` and batch systems send theirs to a whole group
    os.setpgrp()
    import cv2

    cv2.setNumThreads(1)
    end_with(parent)


def end_with(parent: int, *, grace: float = 0.0) -> None:
    """End this process within a second of its parent, however that ends.

    Args:
        grace: seconds after a SIGTERM, in which it may end by itself.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        if grace:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(grace)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
