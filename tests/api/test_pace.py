"""Which way a lone image takes."""

import pytest

from api.pace import JUDGED, TRIES, TRY_EVERY, WAKING, Pace


def run(pace: Pace, images: int, milliseconds: dict[bool, float]) -> list[bool]:
    """The choices for so many images, where each way takes its time."""
    chosen = []
    for _ in range(images):
        way = pace.all_cores(500)
        pace.took(way, 500, milliseconds[way] / 1000)
        chosen.append(way)
    return chosen


@pytest.mark.parametrize("faster", [True, False])
def test_the_faster_way_is_taken_but_for_a_try_now_and_then(faster: bool) -> None:
    chosen = run(Pace(), 10 * TRY_EVERY, {faster: 5, not faster: 9})
    assert chosen.count(not faster) == 11 * TRIES  # at the beginning, and ten times since


def test_it_changes_when_the_machine_gets_busy() -> None:
    pace = Pace()
    assert run(pace, TRY_EVERY - TRIES - 1, {True: 5, False: 9})[-1]
    busy = run(pace, 2 * TRY_EVERY, {True: 40, False: 12})
    assert busy.count(True) <= JUDGED + 3 * TRIES
    assert run(pace, TRY_EVERY, {True: 5, False: 9})[-1]


def test_an_image_that_is_held_up_does_not_change_it() -> None:
    pace = Pace()
    run(pace, 2 * TRIES, {True: 5, False: 9})
    way = pace.all_cores(500)
    assert way
    pace.took(way, 500, 3.0)
    assert pace.all_cores(500)


def test_a_core_that_wakes_slowly_does_not_change_it() -> None:
    """After each change of way the first images on all cores take long."""
    pace, chosen, slow = Pace(), [], 0
    for _ in range(4 * TRY_EVERY):
        chosen.append(pace.all_cores(500))
        slow = WAKING if not chosen[-1] else slow - 1
        pace.took(chosen[-1], 500, 0.02 if slow > 0 else 0.005 if chosen[-1] else 0.009)
    assert chosen.count(False) == 5 * TRIES


def test_each_width_has_its_own() -> None:
    """Narrow and wide images by turns: what one took says nothing of the other."""
    pace = Pace()
    milliseconds = {200: {True: 2, False: 1}, 1000: {True: 5, False: 9}}
    chosen = []
    for number in range(8 * TRIES):
        columns = (200, 1000)[number % 2]
        way = pace.all_cores(columns)
        pace.took(way, columns, milliseconds[columns][way] / 1000)
        chosen.append(way)
    assert chosen[-2 * TRIES :] == [False, True] * TRIES
