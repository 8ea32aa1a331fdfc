"""Measure `trainer transcribe` against the network alone and against reading in one process.

Prints Markdown, ready for the documentation. All three read the same image files in turn, with
every core: the network alone has them prepared in memory; one process decodes, prepares, reads
and interprets them in batches by width, as `evaluate` does; `transcribe` does the same on Ray and
writes Parquet. CPU seconds are those of all processes, and tell more than rates where other
programs run. Memory is that of all processes together, over the time in which images are read.
With `--kill`, the program is killed at half of the images instead, and started again.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import psutil

from recognizer import image
from recognizer.bundle import Bundle, digest
from recognizer.errors import RecognizerError
from recognizer.manifest import NAME
from recognizer.prepare import prepare
from recognizer.recognizer import Recognizer
from trainer.bootstrap import STARTER_BUNDLE
from trainer.cluster import ClusterError
from trainer.evaluation import CHUNK
from trainer.transcription.listing import Listing, ListingError
from trainer.transcription.pipeline import Progress, transcribe
from trainer.transcription.readings import Readings, Reads

PREPARED = 1000
"""About so many, from all over the corpus, the network alone reads: prepared, ten thousand would
take gigabytes."""


@dataclass
class Measured:
    """One run: images a second, CPU milliseconds an image, and memory as it went on."""

    rate: float
    cpu: float
    memory: list[int] = field(default_factory=list)


class Watch:
    """CPU time and memory of this process and all below it, once a second."""

    def __init__(self) -> None:
        self.memory: list[tuple[float, int]] = []
        self._spent: dict[int, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Watch":
        self._look()
        self._before = sum(self._spent.values())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    @property
    def cpu(self) -> float:
        """Seconds spent since the start, also by processes that have ended."""
        return sum(self._spent.values()) - self._before

    def _run(self) -> None:
        while not self._stopped.wait(1):
            self._look()

    def _look(self) -> None:
        own = psutil.Process()
        resident = 0
        for each in [own, *own.children(recursive=True)]:
            try:
                times, memory = each.cpu_times(), each.memory_info()
            except psutil.NoSuchProcess:
                continue
            self._spent[each.pid] = times.user + times.system
            resident += memory.rss
        self.memory.append((time.monotonic(), resident))


def network(bundle: Path, files: Sequence[Path]) -> Measured:
    recognizer = Recognizer.load(bundle)
    spec = recognizer.manifest.input
    chosen = files[:: max(len(files) // PREPARED, 1)]
    prepared = [prepare(image.decode(file.read_bytes()), spec) for file in chosen]
    return _timed(lambda: recognizer.infer(prepared), len(prepared))


def process(bundle: Path, files: Sequence[Path]) -> Measured:
    recognizer = Recognizer.load(bundle)

    def read() -> None:
        for first in range(0, len(files), CHUNK):
            chunk = files[first : first + CHUNK]
            recognizer.read([image.decode(file.read_bytes()) for file in chunk])

    return _timed(read, len(files))


def ray(bundle: Path, files: Sequence[Path]) -> Measured:
    """The rate is that from the first images to the last, without the start of Ray."""
    seen: list[tuple[float, int]] = []

    def told(progress: Progress) -> None:
        seen.append((time.monotonic(), progress.read))

    reads = Reads(str(bundle), digest(bundle / NAME), "greedy")
    with tempfile.TemporaryDirectory() as folder, Watch() as watch:
        readings = Readings(folder)
        with readings.writing():
            names = map(str, files)
            transcribe(names, readings, bundle, reads, told=told)
        cpu = watch.cpu
    (began, before), (ended, read) = seen[0], seen[-1]
    memory = [resident for moment, resident in watch.memory if began <= moment <= ended]
    return Measured((read - before) / (ended - began), 1000 * cpu / read, memory)


def killed(bundle: Path, files: Sequence[Path]) -> str:
    """Kill the command at half of the images, start it again, and count what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "readings.parquet"
        command = [sys.executable, "-m", "trainer", "transcribe", str(files[0].parent)]
        command += ["--out", str(out), "-m", str(bundle)]
        running = subprocess.Popen(command)
        while (first := _paths(out)) is None or len(first) < len(files) / 2:
            if running.poll() is not None:
                raise ClusterError("It ended before it could be killed: name more images.")
            time.sleep(0.2)
        running.kill()
        running.wait()
        at = len(_paths(out) or [])
        subprocess.run(command, check=True)
        paths = _paths(out) or []
    lost, twice = len(set(map(str, files)) - set(paths)), len(paths) - len(set(paths))
    return (
        f"Killed with {at} of {len(files)} images written; in the end {lost} lost, {twice} twice."
    )


def _paths(out: Path) -> list[str] | None:
    if not out.is_dir():
        return None
    return [
        path for batch in Readings(str(out)).batches(["path"]) for path in batch["path"].to_pylist()
    ]


def _timed(act: Callable[[], object], images: int) -> Measured:
    own = psutil.Process()
    before, began = own.cpu_times(), time.monotonic()
    act()
    spent, after = time.monotonic() - began, own.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    return Measured(images / spent, 1000 * cpu / images)


def table(runs: dict[str, list[Measured]]) -> str:
    rows = ["| | images a second | of the network alone | CPU ms an image |"]
    rows += ["| --- | --- | --- | --- |"]
    for name, measured in runs.items():
        rate = statistics.median(each.rate for each in measured)
        share = statistics.median(
            mine.rate / its.rate for mine, its in zip(measured, runs["network alone"], strict=True)
        )
        cpu = statistics.median(each.cpu for each in measured)
        rows.append(f"| {name} | {rate:.1f} | {share:.2f} | {cpu:.1f} |")
    for each in runs["transcribe"]:
        quarters = [f"{statistics.mean(part) / 2**20:.0f}" for part in _quarters(each.memory)]
        rows += ["", f"Memory of all its processes, MB, in each quarter: {', '.join(quarters)}."]
    return "\n".join(rows)


def _quarters(values: list[int]) -> list[list[int]]:
    size = max(len(values) // 4, 1)
    return [part for at in range(4) if (part := values[at * size : (at + 1) * size])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="+", help="as `trainer transcribe` takes them")
    parser.add_argument("--count", type=int, default=10_000, help="read so many, again if need be")
    parser.add_argument("--bundle", type=Path, default=STARTER_BUNDLE, help="default: the starter")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--kill", action="store_true", help="kill it half-way and start it again")
    options = parser.parse_args()
    # Ray makes its processes give way to others, which the other contenders do not
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, name in enumerate(islice(cycle(list(Listing(options.images))), options.count)):
            files.append(Path(folder) / f"{number}{Path(name).suffix}")
            files[-1].symlink_to(name)
        if options.kill:
            print(killed(options.bundle, files))
            return
        contenders = {"network alone": network, "one process": process, "transcribe": ray}
        runs: dict[str, list[Measured]] = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, contender in contenders.items():
                runs[name].append(contender(Bundle.load(options.bundle).path, files))
                print(name, f"{runs[name][-1].rate:.1f} images a second", file=sys.stderr)
    print(table(runs))


if __name__ == "__main__":
    try:
        main()
    except (RecognizerError, ListingError, ClusterError) as error:
        sys.exit(f"Error: {error}")
