"""A small load generator for where wrk is not installed; a process of its own.

Argument: the job as JSON. Output: counts and latencies as JSON, the same that wrk is made to give.
"""

import asyncio
import json
import statistics
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit


class Clients:
    """Connections that send one request after another until the time is over."""

    def __init__(self, url: str, content_type: str, bodies: list[bytes]) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._requests = [request_of(url, content_type, body) for body in bodies]
        self._spent: list[float] = []
        self._refused = self._broken = 0

    async def run(self, clients: int, seconds: float) -> dict[str, float]:
        began = time.perf_counter()
        await asyncio.gather(*(self._client(number, began + seconds) for number in range(clients)))
        spent = sorted(self._spent) or [0.0]
        return {
            "answered": len(self._spent),
            "refused": self._refused,
            "broken": self._broken,
            "seconds": time.perf_counter() - began,
            "median": statistics.median(spent),
            "p99": spent[int(0.99 * (len(spent) - 1))],
        }

    async def _client(self, number: int, end: float) -> None:
        requests = cycle(self._requests)
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port)
            for request in islice(requests, number % len(self._requests), None):
                began = time.perf_counter()
                if began > end:
                    break
                writer.write(request)
                status = await status_of(reader)
                self._refused += status >= 400
                self._spent.append(time.perf_counter() - began)
            writer.close()
        except (OSError, ValueError, asyncio.IncompleteReadError):
            self._broken += 1


def request_of(url: str, content_type: str, body: bytes) -> bytes:
    """A POST request, head and body."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    head = f"POST {path} HTTP/1.1\r\nHost: {parts.hostname}\r\nContent-Type: {content_type}"
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def status_of(reader: asyncio.StreamReader) -> int:
    """Read one answer. Servers here say its length, or send it in chunks."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, found, rest = head.partition(b"content-length:")
    if found:
        await reader.readexactly(int(rest.split(b"\r\n")[0]))
    else:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return int(head.split()[1])


def main() -> None:
    job = json.loads(sys.argv[1])
    bodies = [Path(body).read_bytes() for body in job["bodies"]]
    clients = Clients(job["url"], job["type"], bodies)
    print(json.dumps(asyncio.run(clients.run(job["clients"], job["seconds"]))))


if __name__ == "__main__":
    main()
