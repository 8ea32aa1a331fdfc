"""Which way a lone image takes."""

import pytest

from api.pace import TRY_EVERY, Pace


def run(pace: Pace, images: int, milliseconds: dict[bool, float]) -> list[bool]:
    """The choices for so many images, where each way takes its time."""
    chosen = []
    for _ in range(images):
        way = pace.all_cores()
        pace.took(way, 500, milliseconds[way] / 1000)
        chosen.append(way)
    return chosen


@pytest.mark.parametrize("faster", [True, False])
def test_the_faster_way_is_taken_but_for_a_try_now_and_then(faster: bool) -> None:
    chosen = run(Pace(), 10 * TRY_EVERY, {faster: 5, not faster: 9})
    assert chosen.count(faster) >= 9 * TRY_EVERY
    assert chosen.count(not faster) >= 9


def test_it_changes_when_the_machine_gets_busy() -> None:
    pace = Pace()
    assert run(pace, 200, {True: 5, False: 9})[-5:].count(True) >= 4
    run(pace, 60, {True: 40, False: 12})
    assert run(pace, 100, {True: 40, False: 12}).count(False) >= 95
