"""Corpora read on Ray: every image once, whatever happens to the images or to the program."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from bundles import bars, make_bundle
from pictures import promising
from ray_head import head
from recognizer.bundle import digest
from servers import SERVICES, wait
from sheets import png, sheet
from trainer.cli import app
from trainer.cli import transcribe as command
from trainer.cluster import started
from trainer.datasets.page_layout import parse_xml
from trainer.datasets.page_xml import read_page_xml
from trainer.transcription import pipeline
from trainer.transcription.listing import Listing
from trainer.transcription.pipeline import OBJECTS, Progress, transcribe
from trainer.transcription.reader import Reader, packed
from trainer.transcription.readings import Readings, ReadingsError, Reads

pytest.importorskip("ray", reason="needs Ray: services/trainer/requirements-ray.txt")


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """One Ray for all tests here: it takes seconds to start, as does each process of it."""
    with started(1, objects=OBJECTS):
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("model") / "bundle").path


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders with images of the same names, and what cannot be read."""
    root = tmp_path_factory.mktemp("scans")
    for number in range(30):
        file = root / place_of(number)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bars(text_of(number)))
    (root / "broken.png").write_bytes(bars("aa")[:60])
    (root / "huge.png").write_bytes(promising(50_000, 50_000)["PNG"])
    return root


@pytest.fixture(scope="module")
def finished(ray: None, model: Path, scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Readings of all scans, read in two runs."""
    out = tmp_path_factory.mktemp("out") / "readings.parquet"
    left = scans / "left"
    status, output = run(f"{left}/*.png", left / "1.png", "--out", out, "-m", model)
    assert (status, len(rows(out))) == (0, 15), output
    status, output = run(scans, "--out", out, "-m", model)
    assert status == 0, output
    assert "17 images read" in output
    assert "15 before" in output
    assert "2 could not be read" in output
    return out


def text_of(number: int) -> str:
    return "a" * (1 + number % 5) + " aa"


def place_of(number: int) -> str:
    return f"{'left' if number % 2 else 'right'}/{number // 2}.png"


def reads(model: Path) -> Reads:
    return Reads(str(model), digest(model / "recognizer.json"), "greedy")


def rows(out: Path) -> dict[str, dict[str, Any]]:
    """By path, as any program finds them that reads a folder of Parquet."""
    found = pyarrow.dataset.dataset(out).to_table().to_pylist()
    assert len({row["path"] for row in found}) == len(found), "an image has two rows"
    return {row["path"]: row for row in found}


def run(*arguments: object) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["transcribe", *map(str, arguments)])
    return found.exit_code, found.output + (found.stderr if found.stderr_bytes else "")


def test_each_image_has_a_row_with_what_it_says(finished: Path, model: Path, scans: Path) -> None:
    found = rows(finished)
    assert len(found) == 32
    for number in range(30):
        row = found[str(scans / place_of(number))]
        assert row["text"] == text_of(number)
        assert row["error"] is None
        assert (row["model"], row["decoder"]) == (str(model), "greedy")
        (line,) = row["lines"]
        assert line["box"] == [0, 0, row["width"], row["height"]]
        assert [word["text"] for word in line["words"]] == text_of(number).split()
        assert 0.9 < line["confidence"] == row["confidence"] <= 1
        assert row["milliseconds"] > 0


def test_an_image_that_cannot_be_read_has_a_row_with_the_reason(
    finished: Path, scans: Path
) -> None:
    broken, huge = (rows(finished)[str(scans / name)] for name in ("broken.png", "huge.png"))
    assert broken["text"] is None
    assert broken["lines"] is None
    assert "damaged" in broken["error"]
    assert "50 million" in huge["error"]


def test_texts_and_pages_are_written_later_and_lie_as_their_images_do(
    finished: Path, model: Path, scans: Path, tmp_path: Path
) -> None:
    parts = sorted(finished.glob("part-*"))
    texts, pages = tmp_path / "texts", tmp_path / "pages"
    status, output = run(
        *(scans, "--out", finished, "-m", model, "--text", texts, "--page-xml", pages)
    )
    assert status == 0, output
    assert "Nothing to do: all 32 images have been read before" in output
    assert sorted(finished.glob("part-*")) == parts
    assert {
        file.relative_to(texts).as_posix(): file.read_text() for file in texts.rglob("*.txt")
    } == {f"{place_of(number)}.txt": f"{text_of(number)}\n" for number in range(30)}
    assert len(list(pages.rglob("*.xml"))) == 30
    page = read_page_xml(parse_xml((pages / "left" / "1.png.xml").read_bytes()))
    assert page.image == "1.png"
    assert [line.text for line in page.lines] == [text_of(3)]
    assert page.lines[0].polygon[2] == (page.width, page.height)


def test_another_model_is_refused_until_told_to_begin_anew(
    finished: Path, model: Path, scans: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "copy", make_bundle(tmp_path / "other", "b").path
    shutil.copytree(finished, out)
    status, output = run(scans, "--out", out, "-m", model, "--decoder", "beam")
    assert status == 1
    assert "with the decoder greedy" in output
    status, output = run(scans / "left", "--out", out, "-m", other)
    assert status == 1
    assert f"holds readings of {model}" in output
    assert "--restart" in output
    assert len(rows(out)) == 32
    status, output = run(scans / "left", "--out", out, "-m", other, "--restart")
    assert status == 0, output
    assert len(rows(out)) == 15
    assert {row["model"] for row in rows(out).values()} == {str(other)}
    assert rows(out)[str(scans / "left" / "1.png")]["text"] == "bbbb bb"


def test_what_failed_can_be_read_again(model: Path, tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "1.png").write_bytes(bars("aa a"))
    (scans / "2.png").write_bytes(b"not yet")
    out = tmp_path / "out"
    status, output = run(scans, "--out", out, "-m", model)
    assert status == 0, output
    assert rows(out)[str(scans / "2.png")]["error"]
    before = rows(out)[str(scans / "1.png")]
    (scans / "2.png").write_bytes(bars("aa a"))
    status, output = run(scans, "--out", out, "-m", model)
    assert "Nothing to do" in output
    other = make_bundle(tmp_path / "other", "b").path
    assert run(scans, "--out", out, "-m", other, "--retry-failed")[0] == 1
    assert len(rows(out)) == 2
    assert run(scans, "--out", out, "-m", model, "--retry-failed", "--restart")[0] == 1
    assert len(rows(out)) == 2
    status, output = run(scans, "--out", out, "-m", model, "--retry-failed")
    assert status == 0, output
    assert "Failed before: 1" in output
    assert rows(out)[str(scans / "2.png")]["text"] == before["text"]
    assert rows(out)[str(scans / "1.png")] == before


def test_parquet_of_others_is_left_alone(
    finished: Path, model: Path, scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(finished, out)
    foreign = out / "part-00000-3f2a-c000.snappy.parquet"
    pq.write_table(pa.table({"a": [1]}), foreign)
    status, output = run(scans, "--out", out, "-m", model)
    assert status == 0, output
    status, output = run(scans / "left", "--out", out, "-m", model, "--restart")
    assert status == 0, output
    assert pq.read_table(foreign).num_rows == 1


def test_a_damaged_part_is_named_and_its_images_are_read_without_it(
    finished: Path, model: Path, scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(finished, out)
    part = min(out.glob("part-*"))
    part.write_bytes(part.read_bytes()[:-20])
    status, output = run(scans, "--out", out, "-m", model)
    assert status == 1
    assert f"{part} cannot be read" in output
    part.unlink()
    assert len(Readings(str(out)).done(reads(model))) == 17


def test_a_list_longer_than_is_held_at_a_time(
    ray: None, model: Path, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "WINDOW", 20)
    readings, states = Readings(str(tmp_path / "out")), list[tuple[int, bool]]()
    with readings.writing():
        end = transcribe(
            Listing([str(scans)]),
            readings,
            model,
            reads(model),
            told=lambda state: states.append((state.listed, state.whole)),
            part_rows=1,
        )
    assert end == Progress(known=0, listed=32, whole=True, read=32, failed=2)
    assert len(rows(tmp_path / "out")) == 32
    assert set(states) == {(20, False), (32, True)}
    assert len(list((tmp_path / "out").glob("part-*"))) == 2


def test_a_page_has_a_row_with_its_lines(model: Path, tmp_path: Path) -> None:
    gray, lines = sheet()
    (tmp_path / "page.png").write_bytes(png(gray))
    reader = Reader(packed(model), Reads("bars", "sha256:1", "greedy"))
    (row,) = reader(pa.table({"path": [str(tmp_path / "page.png")]})).to_pylist()
    assert len(row["lines"]) == len(lines)
    assert row["text"].count("\n") == len(lines) - 1
    for found, line in zip(row["lines"], lines, strict=True):
        assert len(found["polygon"]) >= 4
        assert abs(found["baseline"][0][1] - line.baseline[0][1]) < 15


def test_killed_half_way_it_goes_on_without_a_loss_or_a_duplicate(
    ray: None, model: Path, tmp_path: Path
) -> None:
    out, names = tmp_path / "readings.parquet", [tmp_path / f"{n}.png" for n in range(300)]
    for number, name in enumerate(names):
        name.write_bytes(bars(text_of(number)))
    # whoever opens it waits for ever: the third block of images is never read
    names[280].unlink()
    os.mkfifo(names[280])
    program = (
        "import sys; from pathlib import Path\n"
        "from trainer.transcription.listing import Listing\n"
        "from trainer.transcription.pipeline import transcribe\n"
        "from trainer.transcription.readings import Readings, Reads\n"
        "model, digest, out, *names = sys.argv[1:]\n"
        "readings = Readings(out)\n"
        "with readings.writing():\n"
        "    transcribe(Listing(names), readings, Path(model), Reads(model, digest, 'greedy'),\n"
        "               processes=1, part_rows=1)\n"
    )
    made = reads(model)
    driver = subprocess.Popen(
        [sys.executable, "-c", program, made.model, made.digest, str(out), *map(str, names)],
        env={**os.environ, "PYTHONPATH": str(SERVICES)},
    )
    try:
        wait(lambda: len(list(out.glob("part-*"))) == 2, seconds=300)
        with pytest.raises(ReadingsError, match="Another program is writing"), writing(out):
            pass
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    assert len(rows(out)) == 256

    # what a program leaves that is killed while it writes
    part = next(out.glob("part-*"))
    (out / ".part-00000009.parquet").write_bytes(part.read_bytes()[:500])
    assert len(rows(out)) == 256
    names[280].unlink()
    names[280].write_bytes(bars(text_of(280)))
    readings = Readings(str(out))
    with readings.writing():
        end = transcribe(Listing([str(tmp_path / "*.png")]), readings, model, made)
    assert (end.known, end.read, end.failed) == (256, 44, 0)
    assert {Path(path).name: row["text"] for path, row in rows(out).items()} == {
        name.name: text_of(number) for number, name in enumerate(names)
    }
    assert not list(out.glob(".part-*"))


def test_it_reads_on_a_cluster(model: Path, scans: Path, tmp_path: Path) -> None:
    """A command of its own, as Ray is in this process already."""
    out = tmp_path / "readings.parquet"
    environment = {**os.environ, "PYTHONPATH": str(SERVICES)}
    with head(environment) as address:
        found = subprocess.run(
            [sys.executable, "-m", "trainer", "transcribe", scans, "--out", out, "-m", model],
            env=environment | {"RAY_ADDRESS": address},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert found.returncode == 0, found.stderr
    assert "32 images read" in found.stdout
    read = {path: row["text"] for path, row in rows(out).items() if not row["error"]}
    assert read == {str(scans / place_of(number)): text_of(number) for number in range(30)}


def writing(out: Path) -> Any:
    return Readings(str(out)).writing()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.png", "--out", "o"], "nowhere.png"),
        ([".", "--out", "o"], "There is no image in ."),
        (["bundle", "--out", "file"], "file is a file"),
        (["bundle", "--out", "o", "--decoder", "lexicon"], "--decoder lexicon: it must be one of"),
        (["bundle", "--out", "o", "-m", "none"], "none is no folder with recognizer.json"),
    ],
)
def test_a_mistake_is_told_in_a_line_or_two(
    arguments: list[str],
    message: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("bundle").symlink_to(model)
    model_option = [] if "-m" in arguments else ["-m", str(model)]
    found = CliRunner().invoke(app, ["transcribe", *arguments, *model_option])
    assert found.exit_code == 1
    assert message in found.stderr.replace("\n", " ")
    assert "Traceback" not in found.stderr


def test_without_ray_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    found = CliRunner().invoke(app, ["transcribe", str(tmp_path), "--out", "o"])
    assert found.exit_code == 1
    assert "pip install -r services/trainer/requirements-ray.txt" in found.stderr
