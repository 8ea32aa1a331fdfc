"""Connected parts, blur and runs, against SciPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from recognizer.parts import opened, parts, softened

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(MASKS)
def test_parts_are_those_that_scipy_finds(mask: np.ndarray) -> None:
    found = parts(mask)
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    assert len(found.areas) == count
    pairs = {*zip(found.labels[mask].tolist(), labels[mask].tolist(), strict=True)}
    assert len(pairs) == count
    assert not found.labels[~mask].any()
    for number, (top, left, bottom, right) in enumerate(found.boxes, 1):
        rows, columns = np.nonzero(found.labels == number)
        assert (top, left) == (rows.min(), columns.min())
        assert (bottom, right) == (rows.max() + 1, columns.max() + 1)
        assert found.areas[number - 1] == len(rows)


def test_a_part_that_winds_is_one() -> None:
    mask = np.ones((41, 41), bool)
    mask[1::4, :-1] = mask[3::4, 1:] = False
    assert len(parts(mask).areas) == 1


@pytest.mark.parametrize("sigmas", [(2.0, 0.7), (0.0, 3.0), (9.0, 9.0)])
def test_blur_is_that_of_scipy(sigmas: tuple[float, float]) -> None:
    values = np.random.default_rng(0).random((30, 50)).astype(np.float32)
    across, down = sigmas
    wanted = ndimage.gaussian_filter(values, (down, across), mode="nearest", truncate=3)
    np.testing.assert_allclose(softened(values, across, down), wanted, atol=2e-3)


@given(MASKS, st.integers(1, 6), st.sampled_from([0, 1]))
def test_opened_keeps_long_runs(mask: np.ndarray, length: int, axis: int) -> None:
    shape = (length, 1) if axis == 0 else (1, length)
    wanted = ndimage.binary_opening(mask, structure=np.ones(shape))
    assert (opened(mask, length, axis) == wanted).all()
