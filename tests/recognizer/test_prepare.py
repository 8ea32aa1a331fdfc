"""From gray pixels to the network's input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.manifest import Input
from recognizer.prepare import bucket_of, ink_of, prepare

SPEC = Input(height=32, stride=4, margin=8, buckets=[64, 128, 256])


def paper(height: int, width: int, tone: int = 255) -> np.ndarray:
    return np.full((height, width), tone, np.uint8)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_aspect_is_kept(scale: int) -> None:
    """A square of ink stays a square, whatever the height of its image."""
    gray = paper(32 * scale, 64 * scale)
    gray[8 * scale : 16 * scale, 20 * scale : 28 * scale] = 0
    ink = prepare(gray, SPEC).ink
    rows, columns = (np.flatnonzero(ink.max(axis=axis) > 0.5) for axis in (1, 0))
    assert (rows[0], rows[-1]) == (8, 15)
    assert (columns[0], columns[-1]) == (SPEC.margin + 20, SPEC.margin + 27)


@pytest.mark.parametrize(
    ("columns", "bucket"),
    [(1, 64), (63, 64), (64, 64), (65, 128), (128, 128), (129, 256), (256, 256), (257, 256)],
)
def test_bucket_is_the_narrowest_that_holds_the_image(columns: int, bucket: int) -> None:
    assert bucket_of(columns, SPEC) == bucket


@pytest.mark.parametrize(("width", "bucket"), [(48, 64), (49, 128), (112, 128), (113, 256)])
def test_bucket_leaves_room_for_the_margins(width: int, bucket: int) -> None:
    assert prepare(paper(32, width), SPEC).ink.shape == (32, bucket)


def test_too_wide_an_image_is_squeezed() -> None:
    gray = paper(32, 2400)
    gray[:, :100] = gray[:, -100:] = 0
    ready = prepare(gray, SPEC)
    assert ready.ink.shape == (32, 256)
    assert ready.scale == pytest.approx(240 / 2400)
    inked = np.flatnonzero(ready.ink.max(axis=0) > 0.5)
    assert (inked[0], inked[-1]) == (8, 247)
    assert not ready.ink[:, :8].any()
    assert not ready.ink[:, 248:].any()


@pytest.mark.parametrize("shape", [(32, 100), (64, 100), (20, 150), (32, 4000)])
def test_columns_map_back_to_the_image(shape: tuple[int, int]) -> None:
    """A mark in the middle of an image is found again from the step that saw it."""
    height, width = shape
    gray = paper(height, width)
    middle = width // 2
    half = max(2, width // 100)
    gray[:, middle - half : middle + half] = 0
    ready = prepare(gray, SPEC)
    columns = ready.ink.max(axis=0)
    step = np.average(np.arange(len(columns)), weights=columns) / SPEC.stride
    assert ready.column(step, SPEC.stride, width) == pytest.approx(middle, abs=2 / ready.scale)
    assert ready.column(0, SPEC.stride, width) == 0
    assert ready.column(1e6, SPEC.stride, width) == width


@pytest.mark.parametrize("tone", [255, 200, 90])
def test_blank_image_has_no_ink(tone: int) -> None:
    assert not prepare(paper(40, 200, tone), SPEC).ink.any()


def test_noise_of_a_blank_image_is_not_stretched_to_ink() -> None:
    noise = np.random.default_rng(0).normal(220, 4, (40, 200))
    ink = prepare(np.clip(noise, 0, 255).astype(np.uint8), SPEC).ink
    assert ink.max() < 0.4
    assert ink.mean() < 0.06


@pytest.mark.parametrize(("darkest", "lightest"), [(0, 255), (100, 200), (90, 160), (0, 60)])
def test_exposure_does_not_matter(darkest: int, lightest: int) -> None:
    gray = paper(32, 64, lightest)
    gray[8:24, 20:30] = darkest
    ink = ink_of(gray)
    assert np.all(ink[8:24, 20:30] == 1)
    assert ink.sum() == 160


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (2, 2), (31, 1), (1, 31)])
@pytest.mark.parametrize("tone", [0, 255])
def test_extreme_shapes(shape: tuple[int, int], tone: int) -> None:
    ready = prepare(paper(*shape, tone), SPEC)
    assert ready.ink.shape[0] == SPEC.height
    assert ready.ink.shape[1] in SPEC.buckets
    assert not ready.ink.any()
    assert 0 <= ready.column(3, SPEC.stride, shape[1]) <= shape[1]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 90), st.integers(1, 700), st.integers(0, 2**32 - 1))
def test_ink_of_any_image_lies_between_none_and_full(height: int, width: int, seed: int) -> None:
    gray = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    before = gray.copy()
    ready = prepare(gray, SPEC)
    assert ready.ink.dtype == np.float32
    assert 0 <= ready.ink.min() <= ready.ink.max() <= 1
    np.testing.assert_array_equal(gray, before)
    steps = [ready.column(step, SPEC.stride, width) for step in range(ready.ink.shape[1] // 4 + 1)]
    assert steps == sorted(steps)
    assert 0 <= steps[0] <= steps[-1] <= width
