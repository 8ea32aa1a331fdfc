"""Results in a page, and the command beside them."""

from pathlib import Path

import pytest

from tools.bench_reading.command import told
from tools.bench_reading.page import check, replace_part
from tools.bench_reading.problem import Problem

PAGE = """# Title

<!-- table: begin (made by make) -->
old
<!-- table: end -->

kept

<!-- curve: begin -->
<!-- curve: end -->
"""


def test_a_part_is_replaced_and_the_rest_is_kept(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    replace_part(page, "table", "| new |")
    replace_part(page, "curve", "drawn")
    once = page.read_text()
    assert once == PAGE.replace("\nold\n", "\n\n| new |\n\n").replace(
        "begin -->\n<!-- curve", "begin -->\n\ndrawn\n\n<!-- curve"
    )
    replace_part(page, "table", "| new |")
    assert page.read_text() == once


@pytest.mark.parametrize("text", ["", "<!-- table: begin -->", "<!-- table: end --> first"])
def test_a_page_without_its_markers_is_refused_before_the_work(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(Problem, match="table: begin"):
        check(page, "table")


def test_a_page_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"none\.md cannot be read"):
        check(tmp_path / "none.md", "table")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], "make bench"),
        (["-d", "lines:../shared/x"], 'make bench ARGS="-d lines:../shared/x"'),
        (["-d", "lines:/home/me/repo/sets/x"], 'make bench ARGS="-d lines:sets/x"'),
        (["-d", "lines:/home/me/shared/x"], 'make bench ARGS="-d lines:../shared/x"'),
        (["-d", "lines:/mnt/disk/x"], 'make bench ARGS="-d lines:PATH/x"'),
        (["-m", "mine=/mnt/disk/bundle"], 'make bench ARGS="-m mine=PATH/bundle"'),
        (["-m", "models:/handwriting/3"], 'make bench ARGS="-m models:/handwriting/3"'),
        (["-m", "new=models:/handwriting/3"], 'make bench ARGS="-m new=models:/handwriting/3"'),
        (["-d", "lines:my set"], "make bench ARGS=\"-d 'lines:my set'\""),
    ],
)
def test_commands_are_told_without_the_paths_of_the_machine(words: list[str], shown: str) -> None:
    assert told("bench", words, Path("/home/me/repo")) == shown
