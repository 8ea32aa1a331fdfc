"""The order in which lines are read."""

import pytest

from recognizer.layout import Line, reading_order


def line(left: float, right: float, y: float, height: float = 10) -> Line:
    corners = ((left, y - height), (right, y - height), (right, y), (left, y))
    return Line(polygon=corners, baseline=((left, y), (right, y)))


LETTER = [line(0, 100, y) for y in (20, 40, 60)]
LEFT = [line(0, 45, y) for y in (40, 60, 80)]
RIGHT = [line(55, 100, y) for y in (38, 58, 78)]
HEADING = line(0, 100, 20)
FOOT = line(10, 90, 100)


@pytest.mark.parametrize(
    "page",
    [
        LETTER,
        [*LEFT, *RIGHT],
        [HEADING, *LEFT, *RIGHT],
        [HEADING, *LEFT, *RIGHT, FOOT],
        [line(60, 100, 10), line(0, 100, 30), line(20, 80, 50)],
        [],
    ],
)
def test_lines_come_in_reading_order_however_they_were_found(page: list[Line]) -> None:
    shuffled = page[::-1]
    assert [shuffled[index] for index in reading_order(shuffled)] == page


def test_lines_that_cross_are_each_read_once() -> None:
    rising = Line(polygon=(), baseline=((0, 80), (100, 0)))
    falling = Line(polygon=(), baseline=((0, 0), (100, 80)))
    assert sorted(reading_order([rising, falling, HEADING])) == [0, 1, 2]


def test_a_line_without_polygon_lies_where_its_baseline_is() -> None:
    assert Line(polygon=(), baseline=((3, 9), (40, 5))).box == (3, 5, 40, 9)
