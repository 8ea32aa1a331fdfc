"""The line detector: what it learns from, its training, and how it is judged."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from line_sets import lines
from page_tree import Written, write_page
from recognizer.bundle import Bundle
from recognizer.detector import Network
from recognizer.errors import BundleError
from recognizer.layout import Line
from recognizer.maps import CELL
from recognizer.recognizer import Recognizer
from sheets import sheet
from trainer.cli import app
from trainer.datasets import fonts
from trainer.datasets.base import DatasetError
from trainer.datasets.page import PageDataset
from trainer.detector.bundled import DETECTOR, detector_of, with_detector
from trainer.detector.composing import compose
from trainer.detector.evaluation import evaluate
from trainer.detector.pages import Page, crop, page_files
from trainer.detector.scores import Found, compare
from trainer.detector.targets import targets

TWO = [Written("one", baseline=((40, 100), (360, 100))), Written("two")]


def square(left: float, top: float, side: float = 100) -> Line:
    right, bottom = left + side, top + side
    return Line(
        polygon=((left, top), (right, top), (right, bottom), (left, bottom)),
        baseline=((left, bottom), (right, bottom)),
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Six pages, two for each split."""
    three = [Written("bars", baseline=((40, y), (360, y))) for y in (80, 140, 200)]
    rows = []
    for number in range(6):
        write_page(tmp_path / "pages", f"p{number}", three)
        rows.append(f"p{number}.png\t{('train', 'val', 'test')[number % 3]}\n")
    (tmp_path / "pages.tsv").write_text("".join(rows))
    return tmp_path / "pages"


@pytest.mark.parametrize(
    ("found", "matched"),
    [
        ([square(0, 0)], 1),
        ([square(0, 0), square(0, 30)], 1),  # each line matches once
        ([square(25, 0)], 1),  # 75 of 125
        ([square(40, 0)], 0),  # 60 of 140
        ([], 0),
    ],
)
def test_lines_match_from_half_of_their_area_on(found: list[Line], matched: int) -> None:
    scores = compare(found, [square(0, 0), square(300, 300)], (500, 500))
    assert scores == Found(matched, len(found), 2)


def test_precision_and_recall() -> None:
    scores = Found(3, 4, 6) + Found(1, 1, 2)
    assert (scores.precision, scores.recall) == (0.8, 0.5)
    assert scores.f1 == pytest.approx(2 * 0.8 * 0.5 / 1.3)
    assert (Found().precision, Found().recall, Found().f1) == (1, 1, 1)


def test_targets_are_bands_along_baselines_and_reaches_on_them() -> None:
    maps = targets([square(40, 60, 60)], (64, 64))
    rows, columns = np.nonzero(maps[..., 0] > 0.5)
    assert set(rows) <= {28, 29, 30, 31, 32}
    assert (columns.min(), columns.max()) == (10, 25)
    assert maps[30, 18, 1] * 16 == pytest.approx(60 / CELL, abs=1.5)
    assert maps[30, 18, 2] * 16 < 2
    assert not maps[:20].any()


@pytest.mark.parametrize("seed", range(6))
def test_composed_pages_have_their_lines_where_they_say(seed: int) -> None:
    page = compose(fonts.files("train"), np.random.default_rng(seed))
    height, width = page.pixels.shape
    for line in page.lines:
        left, top, right, bottom = line.box
        assert 0 <= left < right <= width * 1.02
        inside = page.pixels[int(max(top, 0)) : int(bottom) + 1, int(left) : int(right) + 1]
        outside = np.percentile(page.pixels, 60)
        assert inside.size == 0 or top >= height or inside.min() < outside


def test_crops_move_lines_with_their_page() -> None:
    gray, written = sheet()
    page = Page(gray, tuple(written))
    dark = 0
    for seed in range(8):
        square_page = crop(page, 256, np.random.default_rng(seed))
        assert square_page.pixels.shape == (256, 256)
        for line in square_page.lines:
            (x0, y0), (x1, y1) = line.baseline[0], line.baseline[-1]
            assert np.hypot(x1 - x0, y1 - y0) > 0
            left, top, right, bottom = (int(np.clip(value, 0, 255)) for value in line.box)
            inside = square_page.pixels[top:bottom, left:right]
            dark += inside.size > 500 and int(inside.min()) < np.percentile(inside, 60) - 40
    assert dark >= 5


def test_pages_of_a_dataset_by_split(tree: Path) -> None:
    dataset = PageDataset(tree)
    assert [file.name for file in page_files(dataset, "train")] == ["p0.png", "p3.png"]
    page = page_files(dataset, "test")[0].open()
    assert page.texts == ("bars", "bars", "bars")
    assert len(page.lines) == 3


def test_lines_alone_are_no_pages(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no pages"):
        page_files(lines(tmp_path / "set", "a.png\ttrain\ttext\tdocument"), "train")


def test_a_detector_is_trained_resumed_and_put_into_a_bundle(
    tree: Path, tmp_path: Path, bundle: Callable[..., Path]
) -> None:
    """Few steps: they show that all of it works, not that it finds lines."""
    from trainer.detector import fitting

    files = page_files(PageDataset(tree), "train")
    held = page_files(PageDataset(tree), "val")
    told: list[str] = []
    plan = fitting.Plan(steps=4, every=2, batch_size=1, composed=0.5)
    fitting.train(files, held, tmp_path / "run", plan, progress=told.append)
    assert len(told) == 2
    assert "recall" in told[0]
    detector = Network(tmp_path / "run" / fitting.NETWORK)
    gray = held[0].open().pixels
    maps = detector.maps(gray)
    assert maps.core.shape == maps.above.shape == maps.below.shape
    assert 0 <= maps.core.min() <= maps.core.max() <= 1

    with_one = with_detector(Bundle.load(bundle()), tmp_path / "run" / fitting.NETWORK)
    assert with_one.manifest.detector == DETECTOR
    assert detector_of(with_one) == with_one.path / DETECTOR
    assert isinstance(Recognizer.load(with_one.path).lines(gray), list)
    again = with_detector(with_one, tmp_path / "run" / fitting.NETWORK)
    assert Bundle.load(again.path).manifest.detector == DETECTOR


def test_what_is_no_detector_is_refused(bundle: Callable[..., Path]) -> None:
    path = bundle()
    before = Bundle.load(path).manifest
    with pytest.raises(BundleError, match="no line detector"):
        with_detector(Bundle.load(path), path / "model.onnx")
    assert Bundle.load(path).manifest == before


def test_pages_are_read_and_scored(tree: Path, tmp_path: Path, bundle: Callable[..., Path]) -> None:
    arguments = ["pages", "-d", f"page:{tree}", "-m", str(bundle()), "--pictures", str(tmp_path)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "100.0%" in done.output  # recall of bars on plain paper
    assert sorted(file.name for file in tmp_path.glob("*.png")) == ["p2.png", "p5.png"]


def test_lines_that_nobody_transcribed_are_found_and_not_read(
    tmp_path: Path, bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [((40, y), (360, y)) for y in (80, 140, 200)]
    texts = ("hello", "", "hello")
    written = [Written(text, baseline=place) for text, place in zip(texts, places, strict=True)]
    write_page(tmp_path, "half", written)
    files = page_files(PageDataset(tmp_path), "train")
    recognizer = Recognizer.load(bundle("a"))
    read = SimpleNamespace(text="hallo")
    monkeypatch.setattr(recognizer, "read", lambda images, **_: [read for _ in images])
    scores = evaluate(recognizer, files)
    assert (scores.found.matched, scores.found.wanted) == (3, 3)
    assert (scores.characters, scores.page_characters) == (10, 11)
    assert (scores.line_errors, scores.page_errors) == (2, 2)


def test_a_split_without_pages_is_said(tmp_path: Path, bundle: Callable[..., Path]) -> None:
    write_page(tmp_path, "only", TWO)
    (tmp_path / "pages.tsv").write_text("only.png\ttrain\n")
    done = CliRunner().invoke(app, ["pages", "-d", f"page:{tmp_path}", "-m", str(bundle())])
    assert done.exit_code == 1
    assert "no page in the split test" in done.output
