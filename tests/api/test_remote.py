"""The process that asks the registry."""

import multiprocessing
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from api import remote
from api.errors import RegistryError
from api.remote import RemoteRegistry
from calls import VERSION
from recognizer.address import Address
from servers import SERVICES, wait

NOBODY = "http://user:secret@127.0.0.1:9"
ADDRESS = Address.parse("models:/handwriting/Production")


@pytest.fixture
def registry() -> Iterator[RemoteRegistry]:
    registry = RemoteRegistry(NOBODY, ADDRESS)
    yield registry
    registry.close()


def process_of(registry: RemoteRegistry) -> psutil.Process:
    assert registry._asked
    return psutil.Process(registry._asked[0].pid)


def test_it_answers_and_fails_as_the_registry_itself_does(
    registry: RemoteRegistry, tmp_path: Path
) -> None:
    assert registry._asked is None  # nothing asked, no process
    with pytest.raises(RegistryError, match=r"http://127.0.0.1:9 .*Connection refused"):
        registry.resolve()
    first = process_of(registry)
    with pytest.raises(RegistryError, match="Connection refused"):
        registry.metrics(VERSION.model_copy(update={"run_id": "1"}))
    with pytest.raises(RegistryError, match="cannot be downloaded"):
        registry.download(VERSION, tmp_path)
    assert process_of(registry) == first

    # killed, as by a lack of memory: the question fails, the next one finds a new process
    first.kill()
    first.wait()
    with pytest.raises(RegistryError, match="has ended"):
        registry.resolve()
    with pytest.raises(RegistryError, match="Connection refused"):
        registry.resolve()
    second = process_of(registry)
    assert second != first
    registry.close()
    assert not second.is_running()


def test_a_registry_that_says_nothing_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "ANSWER_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        registry = RemoteRegistry(f"http://127.0.0.1:{silent.getsockname()[1]}", ADDRESS)
        began = time.monotonic()
        with pytest.raises(RegistryError, match="has not answered within 1 s"):
            registry.resolve()
        assert time.monotonic() - began < 10
        assert registry._asked is None


WAITS = """
import sys
from multiprocessing.connection import Connection
from api.remote import _answers

print("waits", flush=True)
print(_answers(Connection(int(sys.argv[1])), 3.0))
"""


def test_time_in_which_it_was_stopped_is_not_waited() -> None:
    """As in a container that is paused in the midst of a question."""
    ours, its = multiprocessing.Pipe()
    waits = subprocess.Popen(
        [sys.executable, "-c", WAITS, str(its.fileno())],
        env={"PYTHONPATH": str(SERVICES)},
        pass_fds=[its.fileno()],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert waits.stdout
    assert waits.stdout.readline() == "waits\n"
    waits.send_signal(signal.SIGSTOP)
    time.sleep(4)
    waits.send_signal(signal.SIGCONT)
    time.sleep(0.3)
    ours.send("an answer")
    assert waits.communicate(timeout=30)[0] == "True\n"


PARENT = f"""
import os, signal, threading, time
from api.remote import RemoteRegistry
from recognizer.address import Address

registry = RemoteRegistry({NOBODY!r}, Address.parse("models:/handwriting/Production"))
threading.Thread(target=registry.resolve, daemon=True).start()
while registry._asked is None:
    time.sleep(0.01)
print(registry._asked[0].pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_does_not_outlive_a_process_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(f'if __name__ == "__main__":\n{indented(PARENT)}')
    done = subprocess.run(
        [sys.executable, script], env={"PYTHONPATH": str(SERVICES)}, capture_output=True, timeout=60
    )
    child = int(done.stdout)
    wait(lambda: not psutil.pid_exists(child) or dead(child))


def dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())
