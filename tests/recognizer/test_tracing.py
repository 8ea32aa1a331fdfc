"""From maps to lines."""

import numpy as np
import pytest

from recognizer.maps import Floats, Maps
from recognizer.tracing import trace

ROWS, COLUMNS, SCALE = 80, 200, 4.0


def maps(core: Floats, *, above: float = 6, below: float = 3, drop: float = 0) -> Maps:
    reach = np.ones(core.shape, np.float32)
    return Maps(core, above * reach, below * reach, SCALE, drop=drop)


def band(*parts: tuple[int, int, int], slope: float = 0.0) -> Floats:
    """A core of bands three cells thick: (row, first column, last column)."""
    core = np.zeros((ROWS, COLUMNS), np.float32)
    for row, first, last in parts:
        for column in range(first, last + 1):
            middle = round(row + slope * (column - first))
            core[middle - 1 : middle + 2, column] = 0.9
    return core


def test_a_band_becomes_a_line_with_baseline_and_reach() -> None:
    (line,) = trace(maps(band((20, 30, 150))))
    assert line.baseline[0][0] == pytest.approx(30.5 * SCALE)
    assert line.baseline[-1][0] == pytest.approx(150.5 * SCALE)
    assert {round(y) for _, y in line.baseline} == {82}
    _, top, _, bottom = line.box
    assert (top, bottom) == pytest.approx((82 - 6 * SCALE, 82 + 3 * SCALE))


def test_a_detector_may_find_the_middle_of_letters() -> None:
    (line,) = trace(maps(band((20, 30, 150)), drop=0.5))
    assert line.baseline[0][1] == pytest.approx(82 + 0.5 * 9 * SCALE)


def test_a_sloping_band_is_followed() -> None:
    (line,) = trace(maps(band((20, 10, 190), slope=0.1)))
    rise = line.baseline[-1][1] - line.baseline[0][1]
    assert rise == pytest.approx(18 * SCALE, abs=1.5 * SCALE)


def test_lines_above_each_other_stay_apart_where_they_touch() -> None:
    core = band((20, 10, 190), (26, 10, 190))
    core[20:27, 80:90] = 0.6
    lines = trace(maps(core, above=3, below=2))
    assert len(lines) == 2
    assert all(line.box[2] - line.box[0] > 170 * SCALE for line in lines)


def test_pieces_of_one_line_are_joined_and_columns_are_not() -> None:
    assert len(trace(maps(band((20, 10, 90), (20, 96, 190))))) == 1
    assert len(trace(maps(band((20, 10, 90), (20, 110, 190))))) == 2
    assert len(trace(maps(band((20, 10, 90), (28, 94, 190))))) == 2


def test_what_is_too_small_for_a_letter_is_left_out() -> None:
    assert trace(maps(band((20, 10, 13)))) == []
    assert trace(maps(np.zeros((ROWS, COLUMNS), np.float32))) == []
    assert trace(maps(band((20, 10, 190)), above=0.5, below=0.2)) == []


def test_a_faint_band_with_a_gap_is_still_a_line() -> None:
    core = band((20, 30, 150))
    core[core > 0] = 0.65
    core[20, 60:64] = 0.2
    (line,) = trace(maps(core))
    assert line.baseline[-1][0] == pytest.approx(150.5 * SCALE)
