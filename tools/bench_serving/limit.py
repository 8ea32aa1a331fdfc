"""The limit: one process that reads images as fast as this machine can, without HTTP.

It decodes, prepares, batches by width, runs onnxruntime and decodes greedily. One image at a time
has all cores to itself; many are shared out to one thread a core, each with batches of its own.
Jobs come as lines of JSON, and so do the answers.
"""

import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from api.cores import cores
from recognizer import image
from recognizer.bundle import Bundle
from recognizer.prepare import prepare
from recognizer.recognizer import Recognizer

TOGETHER = 32
"""Images that a thread takes at once and sorts into batches."""


def read(recognizer: Recognizer, files: list[bytes], *, alone: bool) -> None:
    grays = [image.decode(file) for file in files]
    ready = [prepare(gray, recognizer.manifest.input) for gray in grays]
    for gray, each, log_probs in zip(
        grays, ready, recognizer.infer(ready, alone=alone), strict=True
    ):
        recognizer.interpret(
            log_probs, each, width=gray.shape[1], level="auto", decoder="greedy", alternatives=0
        )


def one_by_one(recognizer: Recognizer, files: list[bytes], seconds: float) -> dict[str, float]:
    """On all cores and on one by turns: which is faster depends on who else wants them."""
    spent: dict[bool, list[float]] = {True: [], False: []}
    began = time.perf_counter()
    for number in count():
        start = time.perf_counter()
        if start - began > seconds and number >= 4:
            break
        alone = number // 2 % 2 == 0  # in pairs: mixed images are words and lines by turns
        read(recognizer, [files[number % len(files)]], alone=alone)
        spent[alone].append(time.perf_counter() - start)
    best = min(spent.values(), key=statistics.median)
    return {
        "rate": len(best) / sum(best),
        "median": statistics.median(best),
        "p99": statistics.quantiles(best, n=100)[98],
    }


def together(recognizer: Recognizer, files: list[bytes], seconds: float) -> dict[str, float]:
    began = time.perf_counter()
    turn = count()  # next() of it is atomic

    def work(_: int) -> int:
        done = 0
        while not done or time.perf_counter() - began < seconds:
            first = next(turn) * TOGETHER
            read(
                recognizer,
                [files[(first + each) % len(files)] for each in range(TOGETHER)],
                alone=False,
            )
            done += TOGETHER
        return done

    with ThreadPoolExecutor(cores()) as pool:
        read_in_all = sum(pool.map(work, range(cores())))
    return {"rate": read_in_all / (time.perf_counter() - began)}


def main() -> None:
    recognizer = Recognizer(Bundle.load(Path(sys.argv[1])), threads=1, alone_threads=cores())
    print("{}", flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        files = [Path(each).read_bytes() for each in job["files"]]
        measure = one_by_one if job["clients"] == 1 else together
        print(json.dumps(measure(recognizer, files, job["seconds"])), flush=True)


if __name__ == "__main__":
    main()
