"""Pages on which a known text was copied, read whole."""

import subprocess
import sys
from pathlib import Path

import pytest

from sheets import TEXTS, png, sheet
from tools.bench_copied import plain

ROOT = Path(__file__).parents[2]


def test_line_ends_are_spaces_and_quotes_are_straight() -> None:
    assert plain("the \u2018old\u2019\nhouse\u2019s\r\n  roof") == "the 'old' house's roof"


def test_copied_pages_are_read_whole(tmp_path: Path) -> None:
    page, _ = sheet()
    for number in range(2):
        (tmp_path / f"w{number}_pMINE_1.png").write_bytes(png(page))
    (tmp_path / "other.png").write_bytes(png(page))
    (tmp_path / "text.txt").write_text("\n".join(TEXTS))
    command = [sys.executable, "-m", "tools.bench_copied", str(tmp_path), "--decoder", "greedy"]
    done = subprocess.run(
        [*command, "--text", f"_pMINE_={tmp_path / 'text.txt'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "2 pages" in done.stdout
    cells = done.stdout.splitlines()[-1].split(" | ")
    assert cells[:2] == ["| starter", "greedy"]
    assert float(cells[2].rstrip(" %")) < 5


@pytest.mark.parametrize("name", ["_pOTHER_", "nothing"])
def test_a_folder_without_such_pages_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.txt").write_text("a")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tools.bench_copied",
            str(tmp_path),
            "--text",
            f"{name}={tmp_path}/text.txt",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert f"has {name} in its name" in done.stderr
