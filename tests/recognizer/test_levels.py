"""Percentiles from a histogram are those of the sorted pixels."""

import numpy as np
import pytest

from recognizer.levels import percentiles

SHARES = (0, 1, 25, 50, 70, 99, 100)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 5), (64, 333)])
def test_percentiles_are_those_of_numpy(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(shape))
    for low, high in ((0, 256), (100, 110), (7, 8)):
        gray = rng.integers(low, high, shape).astype(np.uint8)
        expected = np.percentile(gray, SHARES)
        np.testing.assert_allclose(percentiles(gray, SHARES), expected, atol=1e-9)


def test_a_view_of_an_image_will_do() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (40, 60)).astype(np.uint8)
    part = gray[5:30, ::2]
    np.testing.assert_allclose(percentiles(part, (70,)), np.percentile(part, (70,)))
