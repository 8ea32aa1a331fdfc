"""The long load: what its figures say, its stream of requests, and a short run of it all."""

import asyncio
from pathlib import Path

import pytest

from bundles import make_bundle
from parrot import server
from tools.bench_serving.endurance import READ, REFUSED, Endurance, Phase, Reply, plot
from tools.bench_serving.soak import Stack
from tools.bench_serving.stream import Stream


def phase() -> Phase:
    """Ten seconds of ten requests each; slow from the third to the fifth, one of each refused."""
    made = Phase(10, 10, memory=[(second, 100_000_000) for second in range(10)], swaps=[2.0])
    for number in range(100):
        second = number // 10
        status = REFUSED if number % 10 == 0 else READ
        took = 0.01 if status == REFUSED else 0.5 if 2 <= second < 5 else 0.1
        made.replies.append(Reply(number / 10, status, took))
    return made


def test_how_soon_it_is_as_usual_is_told() -> None:
    made = endurance(swapping=phase())
    assert "| as fast again afterwards in | not measured |" in made.page("picture.svg")
    made.overload.recovered = 0.42
    assert "| as fast again afterwards in | 0.4 s |" in made.page("picture.svg")


def endurance(swapping: Phase) -> Endurance:
    return Endurance(
        command="make bench-soak",
        machine="on 2 cores",
        date="2026-01-02",
        cold_start=1.25,
        memory_at_start=200_000_000,
        saturated=5,
        alone=0.1,
        overload=phase(),
        swapping=swapping,
    )


def test_seconds_are_told_apart() -> None:
    made = phase()
    assert made.by_second(0.5) == [0.1] * 2 + [0.5] * 3 + [0.1] * 5
    assert made.by_second(0.5, REFUSED) == [0.01] * 10
    assert made.slow_seconds(0.2) == 3
    assert made.slow_seconds(0.5) == 0
    assert made.failed == 0
    made.replies.append(Reply(9.5, 0, 1.0))
    assert made.failed == 1


def test_a_second_without_answers_is_no_figure() -> None:
    made = Phase(1, 3, replies=[Reply(0.5, READ, 0.2), Reply(2.5, READ, 0.4)])
    assert made.by_second(0.99) == [0.2, None, 0.4]


def test_memory_is_compared_before_and_after_the_changes_not_among_them() -> None:
    sizes = [100, 102, 104, 180, 190, 185, 120, 105, 106, 107]
    made = Phase(10, 20, swaps=[5.0, 9.0])
    made.memory = [(2.0 * number, size * 1_000_000) for number, size in enumerate(sizes)]
    assert "| 102 MB, 190 MB, 106 MB |" in endurance(swapping=made).page("picture.svg")
    assert "| not measured |" in endurance(swapping=Phase(10, 20)).page("picture.svg")


def test_the_page_and_the_picture_tell_it_all(tmp_path: Path) -> None:
    found = endurance(swapping=phase())
    page = found.page("serving/soak.svg")
    for told in ("`make bench-soak`, 2026-01-02", "| 1.25 s |", "| 200 MB |", "| 10 ms, 10 ms |"):
        assert told in page
    plot(found, tmp_path / "soak.svg")
    assert "another version" in (tmp_path / "soak.svg").read_text()


async def test_requests_come_at_their_rate_whatever_is_answered() -> None:
    async with server([200, 200, 503]) as url:
        stream = Stream(f"{url}/predict", "text/plain", [b"x" * 1000])
        await stream.run(rate=100, seconds=0.5)
    assert len(stream.answers) == 50
    assert {status for _, status, _ in stream.answers} == {200, 503}
    assert max(due for due, _, _ in stream.answers) == pytest.approx(0.49, abs=0.001)
    assert all(took > 0 for _, _, took in stream.answers)


async def test_a_connection_that_breaks_is_told_and_replaced() -> None:
    turn = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        turn += 1
        await reader.readuntil(b"\r\n\r\n")
        if turn > 1:  # the first is broken off
            await reader.readexactly(4)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        stream = Stream(f"http://127.0.0.1:{port}/predict", "text/plain", [b"body"])
        await stream.run(rate=20, seconds=0.3)
    assert sorted(status for _, status, _ in stream.answers) == [0, 200, 200, 200, 200, 200]


def test_the_whole_stack_is_loaded_and_swapped(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle")
    files = [(bundle.path / golden.image).read_bytes() for golden in bundle.manifest.golden]
    stack = Stack(bundle.path, tmp_path / "soak", files)
    with stack.running():
        assert stack.cold_start > 0
        assert stack.memory() > 50e6
        assert 0 < stack.alone() < 5
        found = stack.stream(rate=20, seconds=6, swaps=2, calm=1)
        loaded = stack.stream(rate=20, seconds=2, usual=2 * stack.alone())
    assert loaded.recovered is not None
    assert 0 <= loaded.recovered < 10
    assert loaded.memory[-1][0] > loaded.seconds
    assert found.failed == 0
    assert len(found.swaps) == 2
    assert len(found.took(READ)) > 100
