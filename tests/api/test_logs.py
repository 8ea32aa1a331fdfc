"""Lines of the log."""

import asyncio
import json
import select
import subprocess
import sys
from datetime import UTC, datetime
from subprocess import PIPE

import httpx
import pytest
import structlog
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from api import logs
from api.metrics import Metrics
from api.middleware import LOG_SECONDS, Telemetry
from calls import logged


def test_a_terminal_is_told_nothing_by_a_path(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    before = structlog.get_config()
    try:
        logs.configure("INFO", "console")
        structlog.get_logger("test").info("request", path="/\x1b[2J\x07", text="b\u00e9e")
    finally:
        structlog.configure(**before)
    written = capsysbinary.readouterr().err
    assert b"\x1b[2J" not in written
    assert b"/\\x1b[2J\\x07" in written
    assert "b\u00e9e".encode() in written


async def test_requests_that_are_cut_off_have_their_lines_too() -> None:
    ended, hanging = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await ended.wait()
            return
        try:
            await hanging.wait()
        finally:
            await asyncio.sleep(0)  # a page has other tasks to wait for

    async def nothing(*_: object) -> None:
        raise AssertionError("nobody is there")

    with capture_logs() as lines:
        telemetry = Telemetry(app, Metrics(), frozenset())
        life = asyncio.create_task(telemetry({"type": "lifespan"}, nothing, nothing))
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        request = asyncio.create_task(telemetry(scope, nothing, nothing))
        await asyncio.sleep(0.01)
        life.cancel()  # as where a second signal comes
        request.cancel()
        await asyncio.gather(life, request, return_exceptions=True)
    assert [line["path"] for line in lines] == ["/"]


async def test_a_line_tells_when_its_request_was_answered(
    client: httpx.AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO", "json")
    await client.get("/model")
    after = datetime.now(UTC)
    await logged()
    found = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    (line,) = [line for line in found if line["logger"] == "api.access"]
    assert line["timestamp"].endswith("Z")
    assert 0 <= (after - datetime.fromisoformat(line["timestamp"])).total_seconds() < LOG_SECONDS


WRITER = """
import logging, sys
import structlog
from api import logs

logs.configure("INFO", "json")
log = structlog.get_logger("test")
for number in range(3000):
    log.info("line", number=number)
    if number % 100 == 0:
        log.info("long", number=number, text="x" * 80_000)
logging.getLogger("uvicorn.error").warning("of the library")
print("went on", flush=True)
sys.stdin.readline()
log.info("last")
"""


def test_nobody_waits_for_whoever_does_not_read_the_log() -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER], stdin=PIPE, stdout=PIPE, stderr=PIPE, bufsize=0
    )
    assert writer.stdin
    assert writer.stdout
    assert writer.stderr
    with writer.stdin, writer.stdout, writer.stderr:
        assert select.select([writer.stdout], [], [], 60)[0], "it waits for the log"
        assert writer.stdout.readline() == b"went on\n"
        early = writer.stderr.read(1 << 20)  # what the pipe holds makes room for the next lines
        writer.stdin.write(b"\n")
        rest = writer.stderr.read()
        assert writer.wait(10) == 0
    whole, cut = [], 0
    for line in (early + rest).splitlines():
        try:
            whole.append(json.loads(line))
        except ValueError:
            cut += 1
    assert cut == 1  # the one that filled the pipe
    assert [line["event"] for line in whole[-2:]] == ["log lines lost", "last"]
    assert next(line["number"] for line in whole if line["event"] == "line") == 0
    seen = sum(line["event"] in ("line", "long") for line in whole)
    assert seen + whole[-2]["lines"] == 3000 + 30 + 1
