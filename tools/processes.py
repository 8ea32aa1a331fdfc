"""Runs a few processes side by side: starts them in order, shows their output, stops them all.

Every process leads a session of its own, so that a Ctrl-C in the terminal reaches the runner
alone, which then stops them in the reverse order of their start: SIGTERM to the process, a grace
time, then SIGTERM and SIGKILL to whatever its group still holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import httpx

from tools import guard
from tools.output import Output

POLL_SECONDS = 0.5
REMIND_SECONDS = 30.0
SWEEP_SECONDS = 2.0


@dataclass(frozen=True)
class Port:
    """An address a process will listen on, and the setting that moves it."""

    host: str
    number: int
    setting: str

    def in_use(self) -> bool:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As the servers do: a port that merely rests in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.number))
            except OSError:
                return True
        return False


@dataclass(frozen=True)
class Task:
    """One process to run.

    `ready_url` answers 200 once the process can be used; then `when_ready` is printed and the
    tasks that name this one in `after` are started. The end of an `essential` task ends
    everything; the end of any other is only reported. `grace` is in seconds.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    port: Port | None = None
    ready_url: str | None = None
    when_ready: str = ""
    after: str | None = None
    essential: bool = True
    grace: float = 10.0


@dataclass
class Running:
    """A started task; `ended` is done when the process and its group are gone."""

    task: Task
    process: Process
    ended: asyncio.Task[None]


class Runner:
    """Runs tasks until a signal comes, an essential one ends, or all have ended."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks
        self._output = Output("up", [task.name for task in tasks], sys.stdout)
        self._running: list[Running] = []
        self._ready: dict[str, asyncio.Task[None]] = {}
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._failed = False
        self._guard: Process | None = None

    async def run(self) -> int:
        """Start everything, wait, stop everything. Returns the exit status: 0 or 1."""
        for task in self._tasks:
            if task.port is not None and task.port.in_use():
                self._output.say(
                    f"port {task.port.number} on {task.port.host} is taken, {task.name} needs it: "
                    f"free it, or choose another with {task.port.setting}"
                )
                return 1
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        self._guard = await asyncio.create_subprocess_exec(
            *(sys.executable, "-IS", guard.__file__),
            stdin=PIPE,
            stdout=DEVNULL,
            start_new_session=True,
        )
        try:
            for task in self._tasks:
                if task.after is not None and not self._stop.is_set():
                    await first(asyncio.wait([self._ready[task.after]]), self._stop.wait())
                if not self._stop.is_set():
                    await self._start(task)
            await first(self._stop.wait(), self._all_ended())
        finally:
            await self._stop_all()
        return 1 if self._failed else 0

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        else:
            self._output.say("stopping (once more kills at once)")
            self._stop.set()

    def _fail(self, text: str) -> None:
        self._output.say(text)
        self._failed = True
        self._stop.set()

    async def _start(self, task: Task) -> None:
        # A pipe of our own: asyncio's wait() returns only once its pipes are closed, which a
        # grandchild can put off for ever.
        read_end, write_end = os.pipe()
        output = os.fdopen(read_end, "rb")
        try:
            process = await asyncio.create_subprocess_exec(
                *task.command,
                stdin=DEVNULL,
                stdout=write_end,
                stderr=STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **task.env},
                start_new_session=True,
            )
        except OSError as error:
            output.close()
            self._fail(f"{task.name} did not start: {error}")
            return
        finally:
            os.close(write_end)
        self._tell_guard(f"+{process.pid}")
        watch = asyncio.create_task(self._watch(task, process, output))
        self._running.append(Running(task, process, watch))
        if task.ready_url is not None:
            ready = self._wait_ready(task, process, task.ready_url)
            self._ready[task.name] = asyncio.create_task(ready)

    async def _all_ended(self) -> None:
        await asyncio.gather(*(asyncio.shield(running.ended) for running in self._running))

    def _tell_guard(self, line: str) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.write(f"{line}\n".encode())

    async def _wait_ready(self, task: Task, process: Process, url: str) -> None:
        """Poll until the URL answers 200 or the process has ended."""
        waited = 0.0
        async with httpx.AsyncClient(trust_env=False) as client:
            while process.returncode is None:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(url)).status_code == httpx.codes.OK:
                        for line in task.when_ready.splitlines():
                            self._output.say(line)
                        return
                await asyncio.sleep(POLL_SECONDS)
                waited += POLL_SECONDS
                if waited % REMIND_SECONDS == 0:
                    self._output.say(f"still waiting for {task.name} ({url})")

    async def _watch(self, task: Task, process: Process, output: BinaryIO) -> None:
        """Show the output until the process ends, then clear its group and say how it ended."""
        pump = asyncio.create_task(self._pump(task, output))
        status = await process.wait()
        await self._sweep(process.pid)
        # A grandchild that left the group may hold the pipe open: not waited for.
        await asyncio.wait([pump], timeout=SWEEP_SECONDS)
        pump.cancel()
        self._tell_guard(f"-{process.pid}")
        if self._stop.is_set():
            return
        how = f"signal {-status}" if status < 0 else f"status {status}"
        if task.essential:
            self._fail(f"{task.name} ended with {how}; stopping the rest")
        elif status == 0:
            self._output.say(f"{task.name} is done; the rest goes on")
        else:
            self._output.say(f"{task.name} failed with {how}; the rest goes on")

    async def _pump(self, task: Task, output: BinaryIO) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), output
        )
        rest = b""
        with contextlib.closing(transport):
            while chunk := await reader.read(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._show(task, line)
        if rest:
            self._show(task, rest)

    def _show(self, task: Task, line: bytes) -> None:
        # Of a line drawn over and over with carriage returns, the last state.
        text = line.decode(errors="replace").rstrip("\r").rpartition("\r")[2]
        self._output.line(task.name, text)
        if self._output.broken:
            self._stop.set()

    async def _sweep(self, group: int) -> None:
        """End what is left of a group whose leader has gone."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = loop.time() + SWEEP_SECONDS
            left = guard.signal_group(group, number)
            while left and loop.time() < deadline and not self._hurry.is_set():
                await asyncio.sleep(0.02)
                left = guard.signal_group(group, 0)

    async def _stop_all(self) -> None:
        self._stop.set()
        for running in reversed(self._running):
            await self._stop_one(running)
        for job in self._ready.values():
            job.cancel()
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            await self._guard.wait()
        self._output.say("stopped")

    async def _stop_one(self, running: Running) -> None:
        with contextlib.suppress(ProcessLookupError):
            running.process.terminate()
        await first(running.process.wait(), self._hurry.wait(), timeout=running.task.grace)
        if running.process.returncode is None:
            self._output.say(f"{running.task.name} did not stop in time: killed")
            guard.signal_group(running.process.pid, signal.SIGKILL)
        await running.ended


async def first(*waits: Coroutine[Any, Any, Any], timeout: float | None = None) -> None:
    """Return when the first of these is done or `timeout` seconds have passed; drop the others."""
    jobs = [asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(jobs, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for job in jobs:
        job.cancel()


def run(tasks: Sequence[Task]) -> int:
    """Run tasks, their output on standard output. Returns 0, or 1 when an essential one failed."""

    async def main() -> int:
        return await Runner(tasks).run()

    return asyncio.run(main())
