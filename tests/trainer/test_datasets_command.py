"""`trainer datasets` and `trainer fetch`, as somebody at a terminal sees them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from page_tree import Written, write_page
from trainer.cli import app
from trainer.datasets.page import PageDataset
from trainer.datasets.sources import SOURCES
from trainer.inventory import inventory, picture_samples


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, arguments, env={"COLUMNS": "250", **environment})
    return found.exit_code, found.output


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    for name in ("a", "b", "c", "d"):
        write_page(tmp_path / "mine" / "letters", name, [Written(f"Ω {name}"), Written("  ")])
    return tmp_path / "mine"


def test_sets_at_hand_are_listed_with_counts_and_missing_characters(pages: Path) -> None:
    status, output = run("datasets", DATA_DIR=str(pages))
    assert status == 0
    row = next(row for row in output.splitlines() if "page/letters" in row)
    assert [cell.strip() for cell in row.strip("│ ").split("│")][1:9] == [
        "line", "2", "1", "1", "4", "6", "Ω", "4",
    ]  # fmt: skip
    assert "licence not stated" in row
    for form in ("page:PATH", "@WEIGHT", "peraire"):
        assert form in output


def test_named_sets_are_told_in_detail(pages: Path) -> None:
    status, output = run("datasets", f"page:{pages}@0.5", "synthetic:3", DATA_DIR=str(pages))
    assert status == 0
    for line in (
        "page/mine",
        "level           line, weight 0.5",
        "samples         train 2, val 1, test 1",
        "documents       train 2, val 1, test 1",
        "length          3 characters in the middle, 3 at most",
        "characters      6:  abcdΩ",
        "not in starter  1: Ω",
        "left out        4 lines: no text",
        "synthetic",
    ):
        assert line in output


def test_a_picture_shows_samples_above_their_texts(pages: Path, tmp_path: Path) -> None:
    file = tmp_path / "out" / "samples.png"
    status, output = run(
        "datasets", f"page:{pages}", "--pictures", str(file), "--shown", "2", DATA_DIR=str(pages)
    )
    assert status == 0
    assert str(file) in output
    with Image.open(file) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (36 + 2 * 74 + 10, 1100)
    assert (pixels[36:84, 10:300] < 60).any()
    assert (pixels[86:110, 10:300] < 120).any()


def test_a_picture_is_of_different_documents_and_survives_broken_images(
    pages: Path, tmp_path: Path
) -> None:
    dataset = PageDataset(pages)
    first = dataset.samples("train")[0]
    (pages / f"{first.document}.png").write_bytes(b"no image")
    picture_samples([dataset], tmp_path / "s.jpg", shown=8)
    with Image.open(tmp_path / "s.jpg") as picture:
        assert picture.height == 36 + 2 * 74 + 10


def test_a_picture_that_cannot_be_written_is_told(pages: Path, tmp_path: Path) -> None:
    status, output = run(
        "datasets", f"page:{pages}", "--pictures", str(tmp_path / "s.docx"), DATA_DIR=str(pages)
    )
    assert status == 1
    assert "Cannot write" in output
    assert "Traceback" not in output


def test_an_inventory_counts_documents_and_characters(pages: Path) -> None:
    found = inventory(PageDataset(pages))
    assert found.documents == {"train": 2, "val": 1, "test": 1}
    assert found.outside("abcd ") == "Ω"
    assert found.lengths == (3, 3)


def test_fetch_without_a_name_lists_what_there_is(pages: Path) -> None:
    (pages / "peraire").mkdir()
    status, output = run("fetch", DATA_DIR=str(pages))
    assert status == 0
    for name, source in SOURCES.items():
        row = next(row for row in output.splitlines() if f"│ {name} " in row)
        assert f" {source.megabytes} " in row
        assert ("yes" in row) == (name == "peraire")
    assert "CC BY-SA 4.0" in output
    assert "--accept-terms" in output
