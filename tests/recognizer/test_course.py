"""Where places lie along a baseline and how far from it."""

import numpy as np
import pytest

from recognizer.course import FIRST_LOOK, even, normals, project


@pytest.mark.parametrize("length", [12, 300, 4 * FIRST_LOOK + 7])
def test_the_nearest_point_of_all_is_found(length: int) -> None:
    x = np.arange(length, dtype=np.float64)
    path = even(np.stack((x, 200 + 20 * np.sin(x / 90)), axis=1), 1.0)
    places = np.random.default_rng(0).uniform((-40, 100), (length + 40, 300), (500, 2))

    nearest, offsets = project(path, places)

    away = np.hypot(*(path[np.newaxis] - places[:, np.newaxis]).transpose(2, 0, 1))
    found = away[np.arange(len(places)), nearest]
    np.testing.assert_allclose(found, away.min(axis=1))
    along = (places - path[nearest]) * normals(path)[nearest]
    np.testing.assert_allclose(offsets, along.sum(axis=1))


def test_what_lies_above_a_baseline_is_negative() -> None:
    path = even(np.array([(0.0, 50.0), (100.0, 50.0)]), 1.0)

    nearest, offsets = project(path, np.array([(30.0, 20.0), (70.0, 60.0)]))

    assert nearest.tolist() == [30, 70]
    assert offsets.tolist() == [-30, 10]
