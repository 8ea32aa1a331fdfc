"""Requests that come at a rate, whatever becomes of those before; a process of its own.

Argument: the job as JSON. Output: when it begins, in seconds of the system's monotonic clock; then
a line of JSON for each request, in the order of their answers: when it was due (seconds since the
first), its status (0: the connection broke) and the seconds from then to its answer.
"""

import asyncio
import json
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from tools.bench_serving.client import request_of, status_of

QUIET = 3.0
"""Seconds after the load in which nothing is written, so that what follows can be looked at."""

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Stream:
    """Requests on as many connections as it takes."""

    def __init__(self, url: str, content_type: str, bodies: list[bytes]) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._requests = [request_of(url, content_type, body) for body in bodies]
        self._idle: deque[Connection] = deque()
        self.answers: list[tuple[float, int, float]] = []

    async def run(self, rate: float, seconds: float) -> None:
        began = time.perf_counter()
        waiting: set[asyncio.Task[None]] = set()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            task = asyncio.create_task(
                self._ask(self._requests[number % len(self._requests)], due, began)
            )
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        await asyncio.gather(*waiting)
        for _, writer in self._idle:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _ask(self, request: bytes, due: float, began: float) -> None:
        status = 0
        writer = None
        try:
            reader, writer = await self._connection()
            writer.write(request)
            status = await status_of(reader)
            self._idle.append((reader, writer))
        except (OSError, ValueError, asyncio.IncompleteReadError):
            if writer:
                writer.close()  # the status says so
        self.answers.append((due - began, status, time.perf_counter() - due))

    async def _connection(self) -> Connection:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()  # the server has, as it does after some idle seconds
        return await asyncio.open_connection(self._host, self._port)


def main() -> None:
    job = json.loads(sys.argv[1])
    bodies = [Path(body).read_bytes() for body in job["bodies"]]
    stream = Stream(job["url"], job["type"], bodies)
    print(time.monotonic(), flush=True)
    asyncio.run(stream.run(job["rate"], job["seconds"]))
    time.sleep(QUIET)
    for answer in stream.answers:
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
