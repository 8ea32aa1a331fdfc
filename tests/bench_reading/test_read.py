"""`make bench-reading` from a set to the page, with a tiny bundle that reads bars."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from bundles import bars
from tools.bench_reading.__main__ import app
from tools.bench_reading.record import Run

if TYPE_CHECKING:
    from servers import Mlflow

PAGE = "\n".join(
    f"<!-- {part}: begin -->\n<!-- {part}: end -->" for part in ("readings", "errors", "curve")
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a page and a set of three documents; commands run in it."""
    folder = tmp_path / "set"
    folder.mkdir()
    rows = []
    for number, (truth, drawn) in enumerate([("aa a", "aa a"), ("aba", "aaa"), ("a a", "a a")]):
        (folder / f"{number}.png").write_bytes(bars(drawn))
        rows.append(f"{number}.png\ttest\t{truth}\tletter-{number}")
    (folder / "lines.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "page.md").write_text(PAGE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    base = ["read", "--page", "page.md", "--readings", "kept.json"]
    return CliRunner().invoke(app, [*base, *words])


def test_versions_and_decoders_are_tabled_and_every_reading_is_kept(
    place: Path, bundle: Callable[..., Path]
) -> None:
    first, second = bundle("a"), bundle("b")
    models = ["-m", f"mine={first}", "-m", str(second)]

    done = run("-d", "lines:set", *models, "--decoder", "greedy", "--decoder", "beam")
    assert done.exit_code == 0, done.output
    rows = [row.split(" | ") for row in done.output.splitlines() if row.startswith("| set |")][1:]
    assert [(row[3], row[4]) for row in rows] == [
        ("mine", "greedy"),
        ("mine", "beam"),
        ("bundle", "greedy"),
        ("bundle", "beam"),
    ]
    # one wrong character of ten, in one of two words that are whole lines or one of five
    assert rows[0][5:9] == ["10.0 %", "0.0 to 33.3 %", "3 lines", "20.0 %"]
    assert rows[0][9] == "66.7 %"
    kept = Run.load(place / "kept.json")
    assert [line.text for line in kept.records[0].lines] == ["aa a", "aaa", "a a"]
    assert kept.readers["mine"].startswith("network sha256:")
    page = (place / "page.md").read_text()
    assert "make bench-reading" in page
    assert "| `b` `a` | 1 |  |  |  |  |" in page
    pictures = list((place / "reading").glob("*.svg"))
    assert len(pictures) == 3
    assert all(500 < file.stat().st_size < 100_000 for file in pictures)


def test_a_page_is_remade_without_sets_or_bundles(place: Path, bundle: Callable[..., Path]) -> None:
    assert run("-d", "lines:set", "-m", str(bundle("a"))).exit_code == 0
    first = (place / "page.md").read_text()
    pictures = {file: file.read_bytes() for file in (place / "reading").iterdir()}
    (place / "set" / "lines.tsv").unlink()
    (place / "page.md").write_text(PAGE)
    assert run("--remake").exit_code == 0
    assert (place / "page.md").read_text() == first
    assert {file: file.read_bytes() for file in pictures} == pictures


def test_a_registered_version_is_read_by_its_address(
    place: Path,
    bundle: Callable[..., Path],
    mlflow_server: "Mlflow",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = mlflow_server.register(bundle("b"), name="bench-reading")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server.uri)
    address = f"models:/bench-reading/{version}"
    done = run("-d", "lines:set", "-m", address)
    assert done.exit_code == 0, done.output
    (record,) = Run.load(place / "kept.json").records
    assert (record.reader, record.lines[0].text) == (address, "bb b")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-d", "lines:nowhere"], "There is no"),
        (["-d", "lines:set", "--split", "val"], "nothing in the val splits of lines/set"),
        (["-d", "lines:set", "--decoder", "magic"], "must be one of greedy"),
        (["-d", "lines:set", "--language", "set"], "--language SET=CODE"),
        (["-d", "lines:set", "-m", "nowhere"], "nowhere is no folder with recognizer.json"),
        (["--remake"], "kept.json cannot be used"),
        (["-d", "lines:set", "--page", "set/lines.tsv"], "needs the lines"),
    ],
)
def test_what_a_user_can_put_right_is_said_in_a_line(
    words: list[str], said: str, place: Path
) -> None:
    done = run(*words)
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output


def test_two_models_of_one_name_must_be_named(place: Path, bundle: Callable[..., Path]) -> None:
    done = run("-d", "lines:set", "-m", str(bundle("a")), "-m", str(bundle("b")))
    assert done.exit_code == 1
    assert "Two models are called 'bundle'" in done.output


def test_readings_of_another_version_are_refused_without_a_traceback(place: Path) -> None:
    (place / "kept.json").write_text(json.dumps({"command": "make"}))
    done = run("--remake")
    assert done.exit_code == 1
    assert "kept.json cannot be used" in done.output


def test_peers_that_are_not_there_are_left_out_with_the_reason(
    place: Path, bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.bench_reading import rapidocr

    environment = place / ".data" / "bench-reading" / "rapidocr"
    environment.mkdir(parents=True)
    (environment / ".installed").write_text(rapidocr.PACKAGE)
    monkeypatch.setenv("PATH", str(place))
    done = run("-d", "lines:set", "-m", str(bundle("a")), "--peers")
    assert done.exit_code == 0, done.output
    page = (place / "page.md").read_text()
    assert "- Tesseract: tesseract is not installed (Debian: apt-get install" in page
    assert "- PP-OCRv4: " in page
