"""Load on a server: clients that send one request after another, and how they were answered."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tools.bench_reading.problem import Unavailable

CLIENT = "tools.bench_serving.client"

# Requests are put together once; sending them costs wrk next to nothing.
SCRIPT = """
local requests, turn = {}, 0
function init(arguments)
  for index, path in ipairs({ %(files)s }) do
    local file = io.open(path, "rb")
    local headers = { ["Content-Type"] = "%(type)s", ["Host"] = "127.0.0.1" }
    requests[index] = wrk.format("POST", "%(path)s", headers, file:read("*a"))
    file:close()
  end
end
function request()
  turn = turn %% #requests + 1
  return requests[turn]
end
function done(summary, latency, all)
  local failed = summary.errors
  io.write(string.format(
    '\\n{"answered": %%d, "refused": %%d, "broken": %%d, "seconds": %%f, "median": %%f, "p99": %%f}\\n',
    summary.requests, failed.status, failed.connect + failed.read + failed.write + failed.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""  # noqa: E501


@dataclass(frozen=True)
class Answers:
    """What the clients of one round were answered."""

    rate: float
    """Images read, a second."""
    median: float | None = None
    """Seconds, as is `p99`; of refusals too, where there are any."""
    p99: float | None = None
    refused: int = 0


@dataclass(frozen=True)
class Target:
    """Where to send requests, and their bodies as files."""

    url: str
    path: str
    content_type: str
    bodies: Sequence[Path]


def settle(target: Target) -> None:
    """Wait until the server has done with what its clients left behind, one way or another."""
    body = target.bodies[0].read_bytes()
    headers = {"content-type": target.content_type}
    with suppress(httpx.HTTPError):
        httpx.post(f"{target.url}{target.path}", content=body, headers=headers, timeout=60)


def generator() -> str:
    """What sends the load here."""
    return "wrk" if shutil.which("wrk") else "a small asyncio client (wrk is not installed)"


def load(target: Target, clients: int, seconds: float, folder: Path) -> Answers:
    """Keep so many clients busy for a time, from a process of its own.

    Raises:
        Unavailable: the server breaks connections, or reads nothing.
    """
    if shutil.which("wrk"):
        script = folder / "load.lua"
        names = ", ".join(f'"{body.resolve()}"' for body in target.bodies)
        script.write_text(
            SCRIPT % {"files": names, "type": target.content_type, "path": target.path}
        )
        command = ["wrk", "--threads", "1", "--connections", str(clients), "--timeout", "60s"]
        command += ["--duration", f"{max(1, round(seconds))}s", "--script", str(script), target.url]
    else:
        job = {
            "url": f"{target.url}{target.path}",
            "type": target.content_type,
            "bodies": [str(body) for body in target.bodies],
            "clients": clients,
            "seconds": seconds,
        }
        command = [sys.executable, "-m", CLIENT, json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120)
    if done.returncode:
        raise Unavailable(f"{command[0]} ended with {done.returncode}: {done.stderr[-300:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    read = found["answered"] - found["refused"]
    if found["broken"] or not read:
        raise Unavailable(f"{found['broken']} connections broke, {read} images were read")
    return Answers(read / found["seconds"], found["median"], found["p99"], refused=found["refused"])
