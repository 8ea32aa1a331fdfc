"""Lines cut out of a page."""

import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from page_tree import INK, PAPER, Written, draw_page
from recognizer import cut as cutting
from recognizer.course import CutError, Path, normals
from recognizer.cut import Reach, usual_reach
from recognizer.cut import cut as cut_strip
from recognizer.image import Gray
from recognizer.layout import Line
from recognizer.sampling import TALLEST, grown

USUAL = Reach(30, 12)
STRAIGHT = Written("bars")
SLOPED = Written("bars", baseline=((40, 100), (360, 180)))
BENT = Written("bars", baseline=((40, 120), (150, 100), (250, 104), (360, 140)))


def line(written: Written, *, polygon: bool = True, baseline: bool = True) -> Line:
    return Line(
        tuple(written.outline()) if polygon else (),
        tuple(written.baseline) if baseline else (),
    )


def cut(page: Gray, found: Line, usual: Reach) -> Gray:
    return cut_strip(page, found, usual).pixels


def feet(gray: Gray) -> list[int]:
    """How low each bar reaches. Where the baseline slopes the bars lean once it is level."""
    dark = gray < (INK + PAPER) // 2
    edges = np.flatnonzero(np.diff(np.pad(dark.any(axis=0), 1).astype(int)))
    return [
        int(np.flatnonzero(dark[:, start:end].any(axis=1)).max())
        for start, end in edges.reshape(-1, 2)
    ]


def bars(gray: Gray) -> int:
    dark = (gray < (INK + PAPER) // 2).any(axis=0)
    return int((np.diff(dark.astype(int)) == 1).sum())


@pytest.mark.parametrize("written", [STRAIGHT, SLOPED, BENT])
def test_writing_stands_level_however_its_baseline_runs(written: Written) -> None:
    gray = cut(draw_page([written]), line(written), USUAL)
    assert gray.dtype == np.uint8
    assert bars(gray) == 19
    assert np.ptp(feet(gray)) <= 3


def test_what_lies_outside_the_polygon_becomes_paper() -> None:
    above = Written("bars", baseline=((40, 72), (360, 72)))
    tight = replace(STRAIGHT, polygon=((40, 76), (360, 76), (360, 108), (40, 108)))
    gray = cut(draw_page([above, STRAIGHT]), line(tight), USUAL)
    assert bars(gray) == 19
    rows = (gray < (INK + PAPER) // 2).any(axis=1)
    assert rows.sum() <= 21, "strokes of the line above show"


def test_paper_outside_has_the_tone_of_the_paper_nearby() -> None:
    page = draw_page([STRAIGHT])
    shade = np.linspace(1, 0.5, page.shape[1])
    gray = cut(np.rint(page * shade).astype(np.uint8), line(STRAIGHT), USUAL)
    top = gray[0].astype(int)
    assert top[:20].mean() > 185
    assert top[-20:].mean() < 135


def test_an_estimated_baseline_levels_a_polygon() -> None:
    gray = cut(draw_page([SLOPED]), line(SLOPED, baseline=False), USUAL)
    assert bars(gray) == 19
    assert np.ptp(feet(gray)) <= 3


def test_a_band_takes_the_place_of_a_missing_polygon() -> None:
    gray = cut(draw_page([SLOPED]), line(SLOPED, polygon=False), USUAL)
    assert bars(gray) == 19
    assert 42 <= gray.shape[0] <= 54


def test_a_polygon_that_cuts_letters_off_is_widened() -> None:
    thin = replace(STRAIGHT, polygon=((40, 90), (360, 90), (360, 100), (40, 100)))
    gray = cut(draw_page([STRAIGHT]), line(thin), USUAL)
    dark = gray < (INK + PAPER) // 2
    assert dark.any(axis=1).sum() == 20


def test_a_baseline_drawn_backwards_is_turned() -> None:
    there = cut(draw_page([SLOPED]), line(SLOPED), USUAL)
    back = replace(line(SLOPED), baseline=tuple(reversed(SLOPED.baseline)))
    np.testing.assert_array_equal(cut(draw_page([SLOPED]), back, USUAL), there)


def test_a_line_written_upside_down_is_turned_upright() -> None:
    page = draw_page([STRAIGHT])
    height, width = page.shape

    def turned(points: object) -> tuple[tuple[float, float], ...]:
        return tuple((width - 1 - x, height - 1 - y) for x, y in points)  # type: ignore[attr-defined]

    upright = line(STRAIGHT)
    over = replace(upright, polygon=turned(upright.polygon), baseline=turned(upright.baseline))
    expected = cut(page, upright, USUAL).astype(int)
    found = cut(np.ascontiguousarray(page[::-1, ::-1]), over, USUAL).astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 3


def test_a_line_written_up_the_margin_is_turned() -> None:
    page = np.rot90(draw_page([STRAIGHT]))
    width = 400

    def turned(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        return tuple((y, width - 1 - x) for x, y in points)

    upright = line(STRAIGHT)
    over = replace(upright, polygon=turned(upright.polygon), baseline=turned(upright.baseline))
    gray = cut(np.ascontiguousarray(page), over, USUAL)
    assert bars(gray) == 19
    assert np.ptp(feet(gray)) <= 3


def test_light_writing_on_dark_paper_is_inverted() -> None:
    gray = cut(np.invert(draw_page([STRAIGHT])), line(STRAIGHT), USUAL)
    assert gray[0].mean() > 200
    assert bars(gray) == 19


def test_tall_lines_are_brought_down_and_low_ones_left_alone() -> None:
    big = Written(
        "bars",
        baseline=((40, 200), (360, 200)),
        polygon=((40, 20), (360, 20), (360, 240), (40, 240)),
    )
    assert cut(draw_page([big]), line(big), Reach(180, 40)).shape[0] == TALLEST
    assert cut(draw_page([STRAIGHT]), line(STRAIGHT), USUAL).shape[0] < TALLEST


def test_a_line_may_reach_over_the_edge_of_its_page() -> None:
    edge = Written("bars", baseline=((-30, 12), (430, 12)))
    gray = cut(draw_page([edge]), line(edge), USUAL)
    assert bars(gray) >= 24
    assert (gray[0] > 180).all()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Line((), ()), "neither a polygon nor a baseline"),
        (Line(((5, 5), (5, 5), (5, 5)), ()), "too small"),
        (Line((), ((50, 50), (50, 50))), "is a point"),
        (Line((), ((900, 900), (990, 900))), "outside its page"),
        (Line((), ((0, 50), (10**6, 50))), "larger than its page"),
    ],
)
def test_what_cannot_be_cut_says_why(broken: Line, message: str) -> None:
    with pytest.raises(CutError, match=message):
        cut(draw_page([STRAIGHT]), broken, USUAL)


def test_the_usual_reach_is_that_of_most_polygons() -> None:
    lines = [line(Written("a", baseline=((40, y), (360, y + 8)))) for y in (60, 120, 180)]
    odd = Line(((0, 0), (400, 0), (400, 300), (0, 300)), ((40, 240), (360, 240)))
    reach = usual_reach([*lines, odd], 300)
    assert reach.above == pytest.approx(30, abs=2)
    assert reach.below == pytest.approx(12, abs=2)


def test_polygons_tell_it_where_nobody_drew_baselines() -> None:
    written = [Written("a", baseline=((40, y), (360, y))) for y in (90, 210)]
    told, estimated = (
        usual_reach([line(each, baseline=drawn) for each in written], 300)
        for drawn in (True, False)
    )
    whole = told.above + told.below
    assert estimated.above + estimated.below == pytest.approx(whole, rel=0.1)


def test_a_line_that_fills_its_image_is_cut() -> None:
    page = draw_page([STRAIGHT])
    height, width = page.shape
    filled = Line(
        ((0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)),
        ((0, 0.7 * height), (width - 1, 0.7 * height)),
    )
    assert bars(cut(page, filled, usual_reach([filled], height))) == bars(page)


def test_without_polygons_it_follows_the_spacing_of_the_lines() -> None:
    lines = [Line((), ((40, y), (360, y))) for y in (60, 100, 140, 180)]
    assert usual_reach(lines, 300) == Reach(pytest.approx(28), pytest.approx(12))
    alone = usual_reach(lines[:1], 300)
    assert alone.above + alone.below == pytest.approx(10)


@pytest.mark.parametrize("reach", [1, 2, 7])
def test_a_mask_grows_as_pillow_would_have_it_grow(reach: int) -> None:
    mask = (np.random.default_rng(0).random((40, 60)) > 0.97).astype(np.uint8) * np.uint8(255)
    wanted = np.asarray(Image.fromarray(mask).filter(ImageFilter.MaxFilter(2 * reach + 1)))
    assert (grown(mask, reach) == wanted).all()


@pytest.mark.parametrize(("width", "height"), [(20_000, 300), (2_500, 2_000)])
def test_lines_of_any_size_are_cut_in_little_time(width: int, height: int) -> None:
    """Time and memory that grow with a square would let one image stop a service."""
    page = np.full((height, width), 230, np.uint8)
    page[height // 4 : height // 2, 100 : width - 100 : 40] = 30
    top, bottom, foot = height * 0.2, height * 0.6, height * 0.5
    corners = ((50.0, top), (width - 50.0, top), (width - 50.0, bottom), (50.0, bottom))
    found = Line(corners, ((50.0, foot), (width - 50.0, foot)))
    began = time.process_time()
    tracemalloc.start()
    strip = cut_strip(page, found, usual_reach([found], height))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - began < 10
    assert most < 1e9
    assert strip.pixels.shape[0] <= TALLEST
    left, _, right, _ = strip.box(0, strip.pixels.shape[1])
    assert left < 60
    assert right > width - 60


def test_places_of_words_do_not_each_look_at_the_whole_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strip = cut_strip(draw_page([BENT]), line(BENT), USUAL)
    whole: list[int] = []

    def noted(path: Path) -> Path:
        whole.append(len(path))
        return normals(path)

    monkeypatch.setattr(cutting, "normals", noted)
    places = [strip.box(left, left + 20) for left in range(0, 300, 20)]
    assert len(set(places)) == len(places)
    assert sum(whole) <= len(strip.course)
