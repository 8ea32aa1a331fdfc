"""A corpus from end to end: what is not read yet goes through Ray Data and into the readings."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from trainer.cluster import cores, started
from trainer.transcription.reader import Reader, packed
from trainer.transcription.readings import Readings, Reads

BLOCK = 128
"""Images that a process reads at a time, enough to fill the batches of most widths."""
OBJECTS = 256 * 2**20
"""Bytes of Ray's store: names of images and what is read in them need little, and where they need
more, Ray waits."""
WINDOW = 50_000
"""Images that are listed ahead of those being read, which bounds the memory of their names."""
PART_ROWS = 10_000
PART_SECONDS = 30.0
"""A part is written after so many rows or seconds: what is lost at most by a kill."""


class PipelineError(Exception):
    """Ray could not go on; the message says why."""


@dataclass
class Progress:
    """How far a corpus is read."""

    known: int = 0
    """Images that had a reading before."""
    listed: int = 0
    """Images that had none, as far as they are listed."""
    whole: bool = False
    """Whether all are listed."""
    read: int = 0
    """Images read since, those that failed among them."""
    failed: int = 0


def transcribe(
    images: Iterable[str],
    readings: Readings,
    bundle: Path,
    reads: Reads,
    *,
    processes: int | None = None,
    told: Callable[[Progress], None] = lambda progress: None,
    part_rows: int = PART_ROWS,
    part_seconds: float = PART_SECONDS,
) -> Progress:
    """Read the images that have no reading yet, within `readings.writing()`.

    Args:
        images: absolute paths or addresses, each once.
        reads: what the bundle and the way it reads are called.
        processes: how many read at a time, each with one thread; None takes every core.
        told: called whenever images have been read.
        part_rows: rows after which a part is written.
        part_seconds: time after which one is written, too.

    Raises:
        ClusterError, ListingError, ReadingsError, PipelineError: what was read before is kept.
    """
    done = readings.done(reads)
    files = packed(bundle)
    progress = Progress()
    parts = _Parts(readings, part_rows, part_seconds)
    remaining = iter(images)
    with ExitStack() as held:
        count = 0
        while not progress.whole:
            names = pa.array(islice(remaining, WINDOW), pa.string())
            new = names.filter(pc.invert(pc.is_in(names, value_set=done)))
            progress.whole = len(names) < WINDOW
            progress.known += len(names) - len(new)
            progress.listed += len(new)
            if not len(new):
                continue
            if not count:
                # it takes seconds to start
                held.enter_context(started(processes, objects=OBJECTS, carried=True))
                count = processes or cores()
                # before Ray ends: rows lie in its memory
                held.callback(parts.write)
            for rows in _read(new, files, reads, count):
                parts.add(rows)
                progress.read += rows.num_rows
                progress.failed += rows.num_rows - rows["error"].null_count
                told(progress)
    return progress


class _Parts:
    """Rows on their way into a part."""

    def __init__(self, readings: Readings, rows: int, seconds: float) -> None:
        self._readings, self._most, self._seconds = readings, rows, seconds
        self._waiting: list[pa.Table] = []
        self._since = time.monotonic()

    def add(self, rows: pa.Table) -> None:
        self._waiting.append(rows)
        enough = sum(each.num_rows for each in self._waiting) >= self._most
        if enough or time.monotonic() - self._since >= self._seconds:
            self.write()

    def write(self) -> None:
        if self._waiting:
            self._readings.write(pa.concat_tables(self._waiting))
        self._waiting = []
        self._since = time.monotonic()


def _read(
    names: pa.Array, bundle: dict[str, bytes], reads: Reads, processes: int
) -> Iterator[pa.Table]:
    """Rows of these images, in any order.

    Raises:
        PipelineError: the processes that read fail at more than an image.
    """
    import ray.data
    from ray.exceptions import RayError

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # a small corpus, too, is for all processes
    size = min(BLOCK, math.ceil(len(names) / processes))
    blocks = [pa.table({"path": names[at : at + size]}) for at in range(0, len(names), size)]
    # names alone pass between the processes: each opens the images that it reads
    rows = ray.data.from_blocks(blocks).map_batches(
        Reader,
        fn_constructor_args=(bundle, reads),
        batch_size=None,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=min(processes, len(blocks))),
        num_cpus=1,
    )
    try:
        # fetching ahead would hold rows back from their part until more of them come
        yield from rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
    except RayError as error:
        raise PipelineError(f"Ray: {str(error).strip().splitlines()[-1]}") from error
