"""The runner behind `make up`, with real processes: what it starts, shows, and leaves behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tools import up

ROOT = Path(__file__).resolve().parents[1]
RUNNER = """
import json, sys
from tools.processes import Port, Task, run
tasks = json.loads(sys.argv[1])
for task in tasks:
    task["port"] = Port(*task["port"]) if "port" in task else None
sys.exit(run([Task(**task) for task in tasks]))
"""
# Notes its number and that of a child of its own, then waits; says so when asked to stop.
FAMILY = """
import os, pathlib, signal, subprocess, sys, time
name, pids = sys.argv[1], pathlib.Path(sys.argv[2])
def stop(*_):
    print(name, "stops", flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
child = subprocess.Popen(["sleep", "300"])
(pids / name).write_text(f"{os.getpid()} {child.pid}")
print(name, "runs", flush=True)
time.sleep(300)
"""
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True)\n"


@dataclass
class Started:
    """A runner under way, its output so far in a file."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.output:
            assert time.monotonic() < deadline, f"{text!r} never came:\n{self.output}"
            time.sleep(0.02)

    def wait(self, seconds: float = 15) -> int:
        return self.process.wait(seconds)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    started: list[Started] = []

    def start(*tasks: dict[str, Any]) -> Started:
        log = tmp_path / f"log{len(started)}"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-c", RUNNER, json.dumps(tasks)],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        started.append(Started(process, log))
        return started[-1]

    yield start
    for each in started:
        each.process.terminate()
        each.process.wait(30)


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    folder = tmp_path / "pids"
    folder.mkdir()
    return folder


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def family(name: str, pids: Path) -> dict[str, Any]:
    return {"name": name, "command": python(FAMILY, name, str(pids))}


def web_server(port: int, **options: Any) -> dict[str, Any]:
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    url = f"http://127.0.0.1:{port}/"
    return {"name": "web", "command": command, "ready_url": url, **options}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def alive(pids: Path) -> list[int]:
    numbers = [int(word) for file in pids.iterdir() for word in file.read_text().split()]
    assert numbers
    return [number for number in numbers if psutil.pid_exists(number) and not is_zombie(number)]


def is_zombie(number: int) -> bool:
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_in_reverse_order_and_leaves_nothing(
    start: Callable[..., Started], pids: Path, number: signal.Signals
) -> None:
    runner = start(family("one", pids), family("two", pids))
    runner.wait_for("one runs")
    runner.wait_for("two runs")
    runner.process.send_signal(number)
    assert runner.wait() == 0
    assert runner.output.index("two stops") < runner.output.index("one stops")
    assert alive(pids) == []


def test_the_end_of_a_one_shot_is_reported_and_the_rest_goes_on(
    start: Callable[..., Started], pids: Path
) -> None:
    runner = start(
        {"name": "good", "command": python("print('working')"), "essential": False},
        {"name": "bad", "command": python("raise SystemExit(3)"), "essential": False},
        family("rest", pids),
    )
    runner.wait_for("good | working")
    runner.wait_for("good is done; the rest goes on")
    runner.wait_for("bad failed with status 3; the rest goes on")
    runner.wait_for("rest runs")
    assert len(alive(pids)) == 2


def test_the_end_of_an_essential_process_stops_the_rest_and_fails(
    start: Callable[..., Started], pids: Path
) -> None:
    runner = start(
        family("rest", pids),
        {"name": "vital", "command": python("import time; time.sleep(1); raise SystemExit(7)")},
    )
    assert runner.wait() == 1
    assert "vital ended with status 7; stopping the rest" in runner.output
    assert "rest stops" in runner.output
    assert alive(pids) == []


def test_a_killed_runner_takes_its_processes_along(
    start: Callable[..., Started], pids: Path
) -> None:
    runner = start(family("one", pids), family("two", pids))
    runner.wait_for("one runs")
    runner.wait_for("two runs")
    runner.process.kill()
    runner.wait()
    deadline = time.monotonic() + 15
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive(pids) == []


def test_a_process_that_does_not_stop_is_killed_after_its_grace(
    start: Callable[..., Started],
) -> None:
    code = f"{STUBBORN}time.sleep(300)"
    runner = start({"name": "mule", "command": python(code), "grace": 0.5})
    runner.wait_for("deaf")
    runner.process.terminate()
    assert runner.wait() == 0
    assert "mule did not stop in time: killed" in runner.output


def test_a_second_signal_kills_at_once(start: Callable[..., Started]) -> None:
    code = f"{STUBBORN}time.sleep(300)"
    runner = start({"name": "mule", "command": python(code), "grace": 60})
    runner.wait_for("deaf")
    runner.process.send_signal(signal.SIGINT)
    runner.wait_for("stopping")
    runner.process.send_signal(signal.SIGINT)
    assert runner.wait(5) == 0


def test_one_after_another_starts_only_when_that_answers(
    start: Callable[..., Started],
) -> None:
    port = free_port()
    late = (
        "import http.server, time; time.sleep(1); print('opens', flush=True);"
        f"http.server.HTTPServer(('127.0.0.1', {port}),"
        " http.server.SimpleHTTPRequestHandler).serve_forever()"
    )
    web = web_server(port, when_ready="Ready: web\nTry it")
    runner = start(
        {**web, "command": python(late)},
        {"name": "one", "command": python("print('one runs')"), "essential": False},
        {"name": "two", "command": python("print('two runs')"), "essential": False, "after": "web"},
    )
    runner.wait_for("two runs")
    expected = ["one runs", "opens", "Ready: web", "Try it", "two runs"]
    found = [runner.output.index(text) for text in expected]
    assert found == sorted(found)


def test_one_that_dies_before_it_answers_stops_the_wait(start: Callable[..., Started]) -> None:
    web = web_server(free_port())
    runner = start(
        {**web, "command": python("raise SystemExit(4)")},
        {"name": "next", "command": python("print('next runs')"), "after": "web"},
    )
    assert runner.wait() == 1
    assert "web ended with status 4" in runner.output
    assert "next runs" not in runner.output


def test_a_taken_port_is_named_with_its_setting_and_nothing_starts(
    start: Callable[..., Started],
) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        web = {**web_server(port), "port": ["127.0.0.1", port, "WEB_PORT"]}
        runner = start({"name": "before", "command": python("print('runs')")}, web)
        assert runner.wait() == 1
    assert runner.output.splitlines() == [
        f"up     | port {port} on 127.0.0.1 is taken, web needs it: "
        "free it, or choose another with WEB_PORT"
    ]


def test_a_command_that_is_missing_fails_in_one_line(start: Callable[..., Started]) -> None:
    runner = start({"name": "gone", "command": ["no-such-program"]})
    assert runner.wait() == 1
    assert "gone did not start" in runner.output
    assert "Traceback" not in runner.output


def test_all_done_ends_the_runner(start: Callable[..., Started]) -> None:
    runner = start({"name": "only", "command": python("pass"), "essential": False})
    assert runner.wait() == 0


def test_lines_come_whole_and_a_redrawn_one_in_its_last_state(
    start: Callable[..., Started],
) -> None:
    code = "import sys; sys.stdout.write('x' * 200_000 + '\\n10%\\r50%\\r100%\\nno end')"
    runner = start({"name": "wide", "command": python(code), "essential": False})
    assert runner.wait() == 0
    lines = [line for line in runner.output.splitlines() if line.startswith("wide")]
    assert lines == [f"wide | {'x' * 200_000}", "wide | 100%", "wide | no end"]


def test_a_reader_that_leaves_ends_everything(pids: Path) -> None:
    chatty = "import time\nwhile True: print('line', flush=True); time.sleep(0.05)"
    tasks = [family("rest", pids), {"name": "chatty", "command": python(chatty)}]
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, json.dumps(tasks)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert runner.stdout is not None
    while b"rest runs" not in runner.stdout.readline():
        pass
    runner.stdout.close()
    runner.wait(20)
    assert alive(pids) == []


def test_make_up_starts_tracking_and_the_api_then_a_trainer_that_may_end(tmp_path: Path) -> None:
    settings = up.Settings(mlflow_tracking_uri="http://127.0.0.1:5999", api_port=8999)
    tracking, api, trainer = up.tasks(settings, tmp_path)
    assert (tracking.name, tracking.after, tracking.essential) == ("tracking", None, True)
    assert tracking.port is not None
    assert tracking.port.number == 5999
    assert str(tmp_path / ".data" / "artifacts") in tracking.command
    assert (api.name, api.after, api.essential) == ("api", None, True)
    assert api.ready_url == "http://127.0.0.1:8999/health/ready"
    assert (trainer.name, trainer.after, trainer.essential) == ("trainer", "tracking", False)
    assert trainer.command[0] == "nice"
    assert {task.env["MLFLOW_TRACKING_URI"] for task in (tracking, api, trainer)} == {
        "http://127.0.0.1:5999"
    }


def test_make_up_uses_a_tracking_server_elsewhere_as_it_is(tmp_path: Path) -> None:
    settings = up.Settings(mlflow_tracking_uri="https://mlflow.example.org")
    assert [task.name for task in up.tasks(settings, tmp_path)] == ["api", "trainer"]


@pytest.mark.parametrize(
    ("host", "url"),
    [("::1", "http://[::1]:8000"), ("::", "http://[::1]:8000"), ("name", "http://name:8000")],
)
def test_make_up_asks_at_the_address_that_is_served(host: str, url: str) -> None:
    assert up.Settings(api_host=host).api_url == url


def test_make_up_offers_an_example_that_exists(tmp_path: Path) -> None:
    settings = up.Settings(api_host="0.0.0.0")
    assert up.command_to_try(settings, tmp_path).strip() == "curl http://127.0.0.1:8000/model"
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "line.png").touch()
    assert up.command_to_try(settings, tmp_path).strip() == (
        "curl -F image=@examples/line.png http://127.0.0.1:8000/predict"
    )


def test_make_up_names_a_wrong_setting_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.up"],
        cwd=ROOT,
        env={**os.environ, "API_PORT": "eight"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("API_PORT=eight: ")
    assert len(done.stderr.splitlines()) == 1
