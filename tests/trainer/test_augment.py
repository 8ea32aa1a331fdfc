"""Random changes of an image that leave its text as it was."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.augment import augment


def line(height: int = 50, width: int = 800) -> NDArray[np.uint8]:
    """A line of strokes, the first and the last well inside the image."""
    gray = np.full((height, width), 230, np.uint8)
    for left in range(width // 20, width - width // 20, 12):
        gray[height // 4 : -height // 4, left : left + 3] = 30
    return gray


def test_same_numbers_same_image() -> None:
    gray = line()
    first, second = (augment(gray, np.random.default_rng((1, 2, 3))) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_other_numbers_another_image() -> None:
    images = [augment(line(), np.random.default_rng(seed)) for seed in range(20)]
    assert len({image.tobytes() for image in images}) == 20
    assert len({image.shape for image in images}) > 10


def test_the_original_is_left_alone() -> None:
    gray = line()
    before = gray.copy()
    for seed in range(20):
        augment(gray, np.random.default_rng(seed))
    np.testing.assert_array_equal(gray, before)


def test_read_only_images_are_taken() -> None:
    gray = line()
    gray.flags.writeable = False
    assert augment(gray, np.random.default_rng(0)).dtype == np.uint8


def test_ink_stays_ink_and_paper_stays_paper() -> None:
    gray = line()
    share = (gray < 130).mean()
    for seed in range(200):
        changed = augment(gray, np.random.default_rng(seed))
        assert changed.dtype == np.uint8
        height, width = changed.shape
        assert 40 <= height <= 90
        assert 400 <= width <= 1600
        paper = np.percentile(changed, 70)
        assert paper > 150
        inked = (changed < paper - 45).mean() * changed.size / gray.size
        assert 0.3 * share < inked < 3 * share


def test_both_ends_of_a_long_line_stay_in_the_picture() -> None:
    gray = np.full((50, 1500), 230, np.uint8)
    gray[20:30, 60:80] = gray[20:30, -80:-60] = 20
    for seed in range(200):
        changed = augment(gray, np.random.default_rng(seed))
        paper = np.percentile(changed, 70)
        fifth = changed.shape[1] // 5
        assert changed[:, :fifth].min() < paper - 60, seed
        assert changed[:, -fifth:].min() < paper - 60, seed


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 400), (400, 1), (2, 3), (3, 2), (700, 5), (5, 3000), (64, 64)]
)
def test_odd_shapes(shape: tuple[int, int]) -> None:
    gray = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for seed in range(60):
        changed = augment(gray, np.random.default_rng(seed))
        assert changed.ndim == 2
        assert min(changed.shape) >= 1
