"""Time limits that share one timer."""

import asyncio
import time
from contextvars import ContextVar

import pytest

from api.later import Later, Within


async def test_each_is_called_when_its_time_is_over() -> None:
    later, called = Later(0.1), list[float]()
    began = time.monotonic()
    for _ in range(2):
        later.call(lambda: called.append(time.monotonic() - began))
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)
    assert len(called) == 2
    assert 0.09 < called[0] < called[1] - 0.03


async def test_what_is_cancelled_is_not_called() -> None:
    later, called = Later(0.05), list[int]()
    keys = [later.call(lambda number=number: called.append(number)) for number in range(3)]
    later.cancel(keys[0])
    later.cancel(keys[2])
    later.cancel(keys[2])
    await asyncio.sleep(0.15)
    later.cancel(keys[1])
    assert called == [1]


async def test_it_goes_on_after_a_rest() -> None:
    later, called = Later(0.02), list[int]()
    for number in range(3):
        later.call(lambda number=number: called.append(number))
        await asyncio.sleep(0.06)
    assert called == [0, 1, 2]


async def test_one_timer_does_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, set_timers = asyncio.get_running_loop(), list[float]()
    call_at, later = loop.call_at, Later(0.1)

    def counted(when: float, *call: object, **context: object) -> asyncio.TimerHandle:
        set_timers.append(when)
        return call_at(when, *call, **context)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_at", counted)
    for _ in range(100):
        later.cancel(later.call(lambda: None))
    assert len(set_timers) == 1


async def test_what_one_raises_keeps_no_other_from_its_time() -> None:
    later, called, told = Later(0.02), list[int](), list[str]()
    asyncio.get_running_loop().set_exception_handler(lambda _, each: told.append(each["message"]))

    def wrong() -> None:
        raise ValueError("mine")

    later.call(wrong)
    later.call(lambda: called.append(1))
    await asyncio.sleep(0.06)
    later.call(lambda: called.append(2))
    await asyncio.sleep(0.06)
    assert called == [1, 2]
    assert len(told) == 1


async def test_each_is_called_in_its_own_context() -> None:
    name, later, called = ContextVar[str]("name"), Later(0.02), list[str]()

    async def call(mine: str) -> None:
        name.set(mine)
        later.call(lambda: called.append(name.get()))

    await asyncio.gather(*(asyncio.create_task(call(each)) for each in "ab"))
    await asyncio.sleep(0.06)
    assert called == ["a", "b"]


def test_it_is_for_one_event_loop_after_another() -> None:
    later, called = Later(0.02), list[int]()

    async def call(number: int) -> None:
        later.call(lambda: called.append(number))
        await asyncio.sleep(0.02 * number)

    asyncio.run(call(0))  # ends before its time comes
    asyncio.run(call(3))
    assert called == [3]


async def test_what_takes_too_long_is_cancelled() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError), Within(Later(0.05)):
        await asyncio.sleep(20)
    assert time.monotonic() - began < 5
    task = asyncio.current_task()
    assert task
    assert not task.cancelling()


async def test_what_is_in_time_goes_on() -> None:
    later = Later(0.05)
    with Within(later):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)


async def test_who_is_cancelled_by_another_stays_cancelled() -> None:
    async def wait() -> None:
        with Within(Later(20)):
            await asyncio.sleep(20)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_both_at_once_end_in_being_cancelled() -> None:
    async def wait() -> None:
        with Within(Later(0.05)):
            try:
                await asyncio.sleep(20)
            finally:
                task.cancel()  # while the time limit has just cancelled it

    task = asyncio.create_task(wait())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_other_errors_go_through() -> None:
    with pytest.raises(ValueError, match="mine"), Within(Later(20)):
        raise ValueError("mine")
