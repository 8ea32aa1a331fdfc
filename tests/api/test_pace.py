"""Which way a lone image takes."""

import pytest

from api.pace import FIRST_PAUSE, JUDGED, LONGEST_PAUSE, TRIES, WAKING, Pace


def run(pace: Pace, images: int, milliseconds: dict[bool, float]) -> list[bool]:
    """The choices for so many images, where each way takes its time."""
    chosen = []
    for _ in range(images):
        way = pace.all_cores(500)
        pace.took(way, 500, milliseconds[way] / 1000)
        chosen.append(way)
    return chosen


@pytest.mark.parametrize("faster", [True, False])
def test_the_other_way_is_tried_more_and_more_seldom(faster: bool) -> None:
    milliseconds = {faster: 5.0, not faster: 9.0}
    longest = LONGEST_PAUSE[faster]
    pace = Pace()
    chosen = run(pace, 2 * TRIES + 3 * FIRST_PAUSE + 2 * TRIES, milliseconds)
    assert chosen.count(not faster) == 3 * TRIES  # at the beginning, and twice since
    run(pace, 2 * longest, milliseconds)
    assert run(pace, 10 * (longest + TRIES), milliseconds).count(not faster) == 10 * TRIES


def test_it_changes_when_the_machine_gets_busy() -> None:
    pace = Pace()
    assert run(pace, LONGEST_PAUSE[True] // 2, {True: 5, False: 9})[-1]
    busy = run(pace, 2 * LONGEST_PAUSE[False], {True: 40, False: 12})
    assert busy.count(True) <= JUDGED + 5 * TRIES
    calm = run(pace, 2 * LONGEST_PAUSE[False], {True: 5, False: 9})
    assert calm[-LONGEST_PAUSE[False] :].count(False) <= 4 * TRIES


def test_a_bad_moment_is_soon_over() -> None:
    pace = Pace()
    run(pace, LONGEST_PAUSE[True], {True: 5, False: 9})
    run(pace, JUDGED, {True: 12, False: 14})
    after = run(pace, 20 * FIRST_PAUSE, {True: 5, False: 9})
    assert after.count(False) <= FIRST_PAUSE + 4 * TRIES  # and tries


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
    for _ in range(2 * LONGEST_PAUSE[True]):
        chosen.append(pace.all_cores(500))
        slow = WAKING if not chosen[-1] else slow - 1
        pace.took(chosen[-1], 500, 0.02 if slow > 0 else 0.005 if chosen[-1] else 0.009)
    assert chosen.count(False) <= 7 * TRIES
    assert all(chosen[-FIRST_PAUSE:])


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
