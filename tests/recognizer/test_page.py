"""Lines found on pages without a trained detector, and cut out of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bundles import bars
from pictures import scrawl
from recognizer.bands import Bands
from recognizer.image import Gray, decode
from recognizer.page import cut_lines, find_lines, is_page, may_be_page
from recognizer.reading import Character, Reading, joint_confidence
from recognizer.recognizer import Recognizer
from sheets import TEXTS, sheet
from trainer.detector.scores import compare


@pytest.mark.parametrize("ruled", [False, True])
def test_lines_of_a_page_are_found_in_order(ruled: bool) -> None:
    page, lines = sheet(ruled=ruled)
    found = find_lines(page, Bands())
    assert len(found) == len(TEXTS)
    scores = compare(found, lines, (page.shape[0], page.shape[1]))
    assert scores.matched == len(TEXTS)
    feet = [each.baseline[0][1] for each in found]
    assert feet == sorted(feet)
    assert is_page(found, page)


def test_a_found_baseline_lies_under_the_letters() -> None:
    page, lines = sheet()
    for each, line in zip(find_lines(page, Bands()), lines, strict=True):
        assert abs(each.baseline[0][1] - line.baseline[0][1]) < 15


def test_columns_of_a_strip_are_places_of_its_page() -> None:
    page, lines = sheet(["oooo oooo"], left=300)
    (found,) = cut_lines(page, find_lines(page, Bands()))
    dark = np.flatnonzero((found.strip.pixels < 128).any(axis=0))
    left, top, right, bottom = found.strip.box(float(dark[0]), float(dark[-1] + 1))
    assert left == pytest.approx(lines[0].box[0], abs=4)
    assert right == pytest.approx(lines[0].box[2], abs=4)
    assert top < lines[0].baseline[0][1] < bottom


def test_nothing_is_found_where_nothing_is_written() -> None:
    for page in (np.full((600, 400), 230, np.uint8), np.zeros((1, 1), np.uint8)):
        assert find_lines(page, Bands()) == []


@pytest.mark.parametrize("shape", [(3, 900), (900, 3), (40, 40), (2000, 1500)])
def test_noise_of_any_shape_is_survived(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for each in cut_lines(noise, find_lines(noise, Bands())):
        left, top, right, bottom = each.line.box
        assert left >= 0 <= top
        assert right < shape[1]
        assert bottom < shape[0]


def test_words_and_lines_are_told_by_their_shape() -> None:
    assert not may_be_page(scrawl(900, seed=1)[:64])
    assert not may_be_page(np.full((150, 2000), 255, np.uint8))
    assert may_be_page(sheet()[0])


def test_words_lines_and_pages_are_read_together(toy: Recognizer) -> None:
    page, _ = sheet()
    lines = [len(each) for each in toy.read_any([page, decode(bars("a")), page[:20]])]
    assert lines == [len(TEXTS), 1, 1]
    (alone,) = toy.read_any([decode(bars("aa a"))], level="word")
    assert [each.text for each in alone] == ["aaa"]
    (nothing,) = toy.read_any([np.full((300, 300), 255, np.uint8)], level="page")
    assert nothing == []
    assert joint_confidence(nothing) == 1


def test_many_pages_are_read_some_lines_at_a_time(
    toy: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, _ = sheet()
    images = [page, decode(bars("a")), page, page, decode(bars("aa"))]
    together = toy.read_any(images)
    sizes = []
    read = toy.read

    def counted(strips: Sequence[Gray], **options: Any) -> list[Reading]:
        sizes.append(len(strips))
        return read(strips, **options)

    monkeypatch.setattr(toy, "read", counted)
    monkeypatch.setattr("recognizer.recognizer.MOST_LINES", len(TEXTS) + 1)
    assert toy.read_any(images) == together
    assert sizes == [len(TEXTS) + 1, 2 * len(TEXTS), 1]


def test_the_confidence_of_a_page_is_that_of_its_characters() -> None:
    sure, unsure = (
        Reading(text, confidence, tuple(Character(each, confidence, 0, 1) for each in text))
        for text, confidence in (("aaaa", 1.0), ("a", 0.5))
    )
    assert joint_confidence([sure, unsure]) == pytest.approx(0.5**0.2)
    assert joint_confidence([unsure]) == 0.5
