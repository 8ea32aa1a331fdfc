"""A classifier of characters: what it learns, what MLflow gets, what is refused."""

import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import mlflow
import numpy as np
import onnxruntime
import pytest
from mlflow.entities import Run
from PIL import Image
from typer.testing import CliRunner

from emnist_files import CLASSES, put
from servers import Mlflow, wait
from trainer.characters.scores import Judged
from trainer.characters.warp import warped
from trainer.cli import app
from trainer.datasets.emnist_splits import character_splits


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A training takes Ctrl-C and SIGTERM over for its process, which here goes on."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def train(*arguments: str, **environment: str) -> tuple[int, str]:
    found = CliRunner().invoke(
        app, ["train", "--task", "characters", *arguments], env={"COLUMNS": "200", **environment}
    )
    return found.exit_code, found.output + (found.stderr if found.stderr_bytes else "")


def easy(folder: Path, part: str = "test", count: int = 300, seed: int = 0) -> None:
    """Characters that differ in where their bar is, with some dirt."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % len(CLASSES)).astype(np.uint8)
    ink = rng.integers(0, 30, (count, 28, 28), dtype=np.uint8)
    for image, label in zip(ink, labels, strict=True):
        image[6:22, 5 + 7 * label : 9 + 7 * label] = rng.integers(150, 256)
    put(folder, part, ink, labels)


def newest(server: Mlflow, name: str) -> Run:
    experiment = server.client.get_experiment_by_name("handwriting")
    assert experiment is not None
    (run,) = server.client.search_runs(
        [experiment.experiment_id], f"attributes.run_name = '{name}'"
    )
    return run


def test_easy_characters_are_told_apart_and_mlflow_has_it_all(
    tmp_path: Path, mlflow_server: Mlflow
) -> None:
    easy(tmp_path / "files")
    versions = mlflow_server.client.search_registered_models()
    status, output = train(
        "-d", f"emnist:{tmp_path / 'files'}", "--epochs", "5", "--batch-size", "16",
        "--name", "easy", MLFLOW_TRACKING_URI=mlflow_server.uri,
    )  # fmt: skip
    assert status == 0, output
    assert "on 30 characters of 3 classes" in output
    assert "an honest split of the characters at hand" in output
    assert "not the official test split" in output
    assert len(mlflow_server.client.search_registered_models()) == len(versions)

    run = newest(mlflow_server, "easy")
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test_accuracy"] > 0.9
    assert {"train_loss", "val_loss", "val_accuracy", "test_accuracy_folded"} <= {*run.data.metrics}
    assert len(mlflow_server.client.get_metric_history(run.info.run_id, "val_accuracy")) == 5
    parameters = run.data.params
    assert (parameters["task"], parameters["batch_size"], parameters["test_samples"]) == (
        "characters", "16", "30",
    )  # fmt: skip
    folder = Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id))
    for name in ("train.log", "data/train.tsv", "plots/loss.png", "plots/accuracy.png"):
        assert (folder / name).stat().st_size > 0
    with Image.open(folder / "test" / "confusions.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 1000
    assert (folder / "test" / "confusions.tsv").read_text().startswith("count\tshare\ttrue\tread")
    rows = [row.split("\t") for row in (folder / "test" / "readings.tsv").read_text().splitlines()]
    listed = (folder / "data" / "test.tsv").read_text().splitlines()
    assert [f"{name}\t{true}" for name, true, _, _ in rows[1:]] == listed

    # what was saved reads as what was measured
    splits = character_splits(tmp_path / "files", 1)
    session = onnxruntime.InferenceSession(folder / "model" / "characters.onnx")
    ink = splits.of["test"].ink[..., None].astype(np.float32) / np.float32(255)
    (found,) = session.run(None, {session.get_inputs()[0].name: ink})
    assert [CLASSES[each] for each in np.argmax(found, axis=1)] == [row[2] for row in rows[1:]]


def test_the_official_split_is_called_so(tmp_path: Path, mlflow_server: Mlflow) -> None:
    folder = tmp_path / "emnist"
    easy(folder, "train", 60, seed=1)
    easy(folder, "test", 12, seed=2)
    status, output = train(
        "--epochs", "1", "--name", "official", "--train-ratio", "0",
        MLFLOW_TRACKING_URI=mlflow_server.uri, DATA_DIR=str(tmp_path),
    )  # fmt: skip
    assert status == 0, output
    assert "on 12 characters of 3 classes" in output
    assert "Measured on EMNIST's official test split." in output
    assert newest(mlflow_server, "official").data.params["train_samples"] == "54"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-d", "synthetic"], "learns from EMNIST and nothing else"),
        (["-d", "emnist:a", "-d", "emnist:b"], "learns from EMNIST and nothing else"),
        (["-d", "emnist:FOLDER:500"], "numbers of lines and texts are for --task lines"),
        (["-d", "emnist:/nowhere"], "no folder '/nowhere'"),
        ([], "python -m trainer fetch emnist"),
        (["-d", "emnist:FOLDER", "--resume", "--size", "tiny"], "--resume, --size: of lines alone"),
        (["-d", "emnist:FOLDER", "--train-ratio", "0.5"], "--train-ratio: of lines alone"),
    ],
)
def test_what_means_nothing_for_characters_is_refused(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    easy(tmp_path / "files", count=30)
    given = [each.replace("FOLDER", str(tmp_path / "files")) for each in arguments]
    status, output = train(*given, DATA_DIR=str(tmp_path / "none"))
    assert status == 1
    assert message in output
    assert "Traceback" not in output


def test_an_unknown_task_is_refused() -> None:
    found = CliRunner().invoke(app, ["train", "--task", "music"])
    assert found.exit_code == 1
    assert "--task music: it must be one of lines, characters" in found.output


def test_an_interrupted_run_is_marked_as_killed(tmp_path: Path, mlflow_server: Mlflow) -> None:
    easy(tmp_path / "files")
    before = signal.getsignal(signal.SIGTERM)

    def interrupt() -> None:
        wait(lambda: signal.getsignal(signal.SIGTERM) is not before, 120)
        signal.raise_signal(signal.SIGTERM)

    interrupter = Thread(target=interrupt)
    interrupter.start()
    status, output = train(
        "-d", f"emnist:{tmp_path / 'files'}", "--name", "cut-off",
        MLFLOW_TRACKING_URI=mlflow_server.uri,
    )  # fmt: skip
    interrupter.join()
    assert status == 128 + signal.SIGTERM
    assert "and no classifier" in output
    assert newest(mlflow_server, "cut-off").info.status == "KILLED"


def judged(classes: str, pairs: str) -> Judged:
    """Of pairs such as `aA`: true, read."""
    found: list[Any] = [
        np.array([classes.index(pair[place]) for pair in pairs.split()]) for place in (0, 1)
    ]
    return Judged(classes, *found, np.ones(len(found[0]), np.float32))


def test_cases_that_look_alike_may_count_as_one() -> None:
    found = judged("AOao", "oO Oo oo aA AA")
    assert found.accuracy == 0.4
    assert found.folded == 0.8  # a and A do not look alike


def test_confusions_are_counted_and_ranked() -> None:
    found = judged("ab", "ab ab aa aa ba bb").confusions()
    assert [(each.true, each.read, each.count, each.share) for each in found] == [
        ("a", "b", 2, 0.5),
        ("b", "a", 1, 0.5),
    ]


def test_warping_moves_ink_a_little_and_leaves_the_rest_alone() -> None:
    ink = np.zeros((40, 28, 28), np.uint8)
    ink[:, 8:20, 12:16] = 255
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(warped(ink, 0, rng), ink)
    changed = warped(ink, 0.5, rng)
    same = (changed == ink).all(axis=(1, 2))
    assert 10 <= same.sum() <= 30
    # nothing is pushed out of the picture
    ratio = changed.sum(axis=(1, 2)) / ink.sum(axis=(1, 2))
    assert ratio.min() > 0.6
    assert ratio.max() < 1.6
