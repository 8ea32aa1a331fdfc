"""The starter made anew by one command, on a few lines instead of its sources."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from recognizer.bundle import Bundle
from recognizer.manifest import CARD
from tools.starter.__main__ import app
from tools.starter.recipe import DECLARED, StarterRecipe, Workplace, part
from trainer.checkpoint import STATE
from trainer.cli import app as trainer
from trainer.datasets.base import SPLITS, DatasetError
from trainer.datasets.lines import INDEX, LinesDataset
from trainer.datasets.synthetic import SyntheticDataset

SMALL = """
minutes = 30

[lines]
celestine = 1.0
cremma_mss20 = 0.5

[words]
sets = ["celestine"]
weight = 0.5

[made]
synthetic = { lines = 8, weight = 1 }

[fit]
size = "tiny"
batch-size = 4
epochs = 1
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "small.toml"
    file.write_text(SMALL, encoding="utf-8")
    return file


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """DATA_DIR with two sets of lines where fetched ones would be."""
    folder = tmp_path / "data"
    for seed, name in enumerate(("celestine", "cremma_mss20")):
        drawn = SyntheticDataset(train=12, val=4, test=3, level="line", seed=seed)
        rows = []
        for split in SPLITS:
            for number, sample in enumerate(drawn.samples(split)):
                file = folder / name / f"{split}-{number}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(sample.image()).save(file)
                rows.append(f"{file.name}\t{split}\t{sample.text}\t{split}-{number}")
        (folder / name / INDEX).write_text("\n".join(rows), encoding="utf-8")
    monkeypatch.setenv("DATA_DIR", str(folder))
    return folder


def test_the_declared_recipe_is_of_sets_that_can_be_fetched_and_options_that_there_are(
    tmp_path: Path,
) -> None:
    recipe = StarterRecipe.load(DECLARED)
    place = Workplace(tmp_path / "data", tmp_path / "made")
    fetched = [command[2] for command in place.fetching(recipe)]
    assert fetched == [*recipe.lines, "emnist"]
    cut = place.cutting(recipe, tmp_path)
    assert [command[1] for command, _ in cut] == ["pack"] * len(recipe.lines) + ["words"]
    training = place.training(
        recipe, minutes=5, fonts=tmp_path / "fonts", start=tmp_path, bfloat16=True, resume=False
    )
    assert f"synthetic:60000:{tmp_path}/fonts@0.1" in training
    for command in (*(each for each, _ in cut), training):
        result = CliRunner().invoke(trainer, list(command[1:]))
        assert result.exit_code == 1  # there is no such folder; 2 would be a wrong option


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("celestine = 1.0\nothers = 1", "others"),
        ("celestine = 0", "lines.celestine: Input should be greater than 0"),
        ("cemma_mss20 = [", "is no TOML file"),
    ],
)
def test_a_recipe_that_cannot_be_followed_says_where(changed: str, said: str, recipe: Path) -> None:
    recipe.write_text(SMALL.replace("celestine = 1.0", changed), encoding="utf-8")
    with pytest.raises(DatasetError, match=re.escape(said)):
        StarterRecipe.load(recipe)
    result = CliRunner().invoke(app, ["prepare", "--recipe", str(recipe)])
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def test_words_come_of_sets_that_are_there(recipe: Path) -> None:
    recipe.write_text(SMALL.replace('["celestine"]', '["hooker"]'), encoding="utf-8")
    with pytest.raises(DatasetError, match=re.escape("words.sets: hooker is not among the lines")):
        StarterRecipe.load(recipe)


def test_what_is_prepared_is_not_prepared_again_and_what_was_cut_off_is(
    recipe: Path, data: Path, tmp_path: Path
) -> None:
    place = Workplace(data, tmp_path / "made")
    half = part(place.packed("cremma_mss20")) / "lines-cremma_mss20"
    half.mkdir(parents=True)
    (half / "train-000000.webp").write_bytes(b"cut off")
    command = ["prepare", "--recipe", str(recipe), "--folder", str(place.folder)]
    _done(command)
    for name in ("celestine", "cremma_mss20"):
        packed = LinesDataset(place.packed(name))
        assert {split: len(packed.samples(split)) for split in SPLITS} == (
            {"train": 12, "val": 4, "test": 0}
        )
    assert LinesDataset(place.words).samples("train")
    assert not list(place.folder.rglob("*.part"))
    assert "$ python" not in _done(command)


def test_what_it_did_not_write_is_not_removed(recipe: Path, data: Path, tmp_path: Path) -> None:
    mine = tmp_path / "made" / "lines" / "celestine" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.touch()
    ended = _run(["prepare", "--recipe", str(recipe), "--folder", str(tmp_path / "made")])
    assert ended.returncode == 1
    assert "is not empty" in ended.stderr
    assert mine.exists()


def test_a_step_that_fails_is_named_and_ends_it(recipe: Path, data: Path, tmp_path: Path) -> None:
    (data / "celestine" / INDEX).write_text("a.png\tdev\ttext\tdocument\n", encoding="utf-8")
    command = ["prepare", "--recipe", str(recipe), "--folder", str(tmp_path / "made")]
    ended = _run(command)
    assert ended.returncode == 1
    assert "This failed, for the reason above: python -m trainer pack" in ended.stderr
    assert "cremma_mss20" not in ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_one_command_makes_a_starter_and_goes_on_after_a_signal(
    recipe: Path, data: Path, tmp_path: Path
) -> None:
    recipe.write_text(SMALL.replace("epochs = 1", "epochs = 40"), encoding="utf-8")
    folder = tmp_path / "made"
    command = ["make", "--recipe", str(recipe), "--folder", str(folder), "--minutes", "1"]
    first = subprocess.Popen([sys.executable, "-m", "tools.starter", *command])
    deadline = time.monotonic() + 300
    while not (folder / "run" / STATE).is_file():
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 128 + signal.SIGTERM
    said = _done(command)
    assert "trainer pack" not in said
    assert "--resume" in said
    card = (Bundle.load(folder / "bundle").path / CARD).read_text("utf-8")
    assert "in one training of 0 h 1 min from random weights" in card.replace("\n", " ")
    assert "lines/cremma_mss20 | 12 / 4 / 3" in card
    assert "129 more" not in card


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tools.starter", *command],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "300"},
    )


def _done(command: list[str]) -> str:
    """What it said."""
    ended = _run(command)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
