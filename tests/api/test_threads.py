"""Threads of the engine: as few as are wanted, and none is lost to a call that fails."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from api.threads import Threads


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads(3, "test")
    yield threads
    threads.close()


def names_of(threads: Threads, calls: int) -> list[str]:
    """Which thread each of some calls found, one after another."""
    names: list[str] = []
    for _ in range(calls):
        done = threading.Event()

        def call(done: threading.Event = done) -> None:
            names.append(threading.current_thread().name)
            done.set()

        threads.submit(call)
        assert done.wait(10)
        time.sleep(0.02)  # it rests a moment after the call has said so
    return names


def test_calls_that_come_one_after_another_find_the_same_thread(threads: Threads) -> None:
    assert names_of(threads, 5) == ["test_0"] * 5


def test_as_many_calls_at_a_time_as_there_are_threads(threads: Threads) -> None:
    together = threading.Barrier(4)
    done = threading.Barrier(4)
    for _ in range(6):
        threads.submit(lambda: (together.wait(10), done.wait(10)))
    together.wait(10)
    assert sum(thread.name.startswith("test_") for thread in threading.enumerate()) == 3
    done.wait(10)
    together.wait(10)
    done.wait(10)


def test_no_more_threads_are_started_whoever_submits() -> None:
    for _ in range(20):
        threads = Threads(2, "bounded")
        together = threading.Barrier(8)

        def submit(threads: Threads = threads, together: threading.Barrier = together) -> None:
            together.wait(10)
            for _ in range(20):
                threads.submit(time.sleep, 0)

        callers = [threading.Thread(target=submit) for _ in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(10)
        assert 1 <= len(threads._started) <= 2
        threads.close()


def test_calls_are_begun_in_their_order() -> None:
    threads = Threads(1, "one")
    begun: list[int] = []
    done = threading.Event()
    for number in range(100):
        threads.submit(begun.append, number)
    threads.submit(done.set)
    assert done.wait(10)
    assert begun == list(range(100))
    threads.close()


def test_a_call_that_fails_is_logged_and_its_thread_goes_on(
    threads: Threads,
) -> None:
    def fail() -> None:
        raise ValueError("no such thing")

    with capture_logs() as logs:
        threads.submit(fail)
        time.sleep(0.02)
        assert names_of(threads, 1) == ["test_0"]
    (logged,) = logs
    assert logged["event"] == "unexpected error"
    assert logged["exc_info"]


@contextmanager
def no_thread_starts() -> Iterator[None]:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        yield


def test_after_a_thread_could_not_be_started_the_next_call_starts_it(threads: Threads) -> None:
    called: list[int] = []
    with no_thread_starts(), pytest.raises(RuntimeError, match="can't start"):
        threads.submit(called.append, 1)
    assert names_of(threads, 1) == ["test_0"]
    assert called == []  # whoever submitted it was told


def test_a_call_for_which_no_thread_starts_is_left_to_those_there_are(threads: Threads) -> None:
    go_on, done = threading.Event(), threading.Event()
    threads.submit(go_on.wait, 10)
    with capture_logs() as logs, no_thread_starts():
        threads.submit(done.set)
    assert [each["event"] for each in logs] == ["thread not started"]
    go_on.set()
    assert done.wait(10)


def test_closing_waits_for_what_is_under_way() -> None:
    threads = Threads(2, "closing")
    done: list[int] = []
    for number in range(2):
        threads.submit(lambda number=number: (time.sleep(0.1), done.append(number)))
    time.sleep(0.02)
    threads.close()
    assert sorted(done) == [0, 1]
    assert not any(thread.is_alive() for thread in threads._started)


def test_closed_threads_begin_nothing_more_and_end() -> None:
    threads = Threads(1, "closing")
    under_way, go_on = threading.Event(), threading.Event()
    begun: list[int] = []
    threads.submit(lambda: (under_way.set(), go_on.wait(10), begun.append(1)))
    threads.submit(begun.append, 2)
    assert under_way.wait(10)
    threads.close(seconds=0.01)
    go_on.set()
    for thread in threads._started:
        thread.join(10)
        assert not thread.is_alive()
    assert begun == [1]
