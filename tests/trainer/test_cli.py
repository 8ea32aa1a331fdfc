"""The command line: it teaches, and its errors are a line or two."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bundles import bars, make_bundle
from line_sets import lines
from servers import SERVICES
from trainer.cli import app


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, arguments, env={"COLUMNS": "200", **environment})
    return found.exit_code, found.output + (found.stderr if found.stderr_bytes else "")


@pytest.mark.parametrize(
    "command",
    [
        "train",
        "bootstrap",
        "evaluate",
        "predict",
        "transcribe",
        "promote",
        "register",
        "export",
        "datasets",
        "fetch",
        "fit",
        "splits",
        "sweep",
        "pack",
        "words",
    ],
)
def test_each_command_explains_itself(command: str) -> None:
    status, output = run(command, "--help")
    assert status == 0
    assert len(output.splitlines()) > 5


@pytest.mark.parametrize(
    "arguments",
    [["register", "bundle"], ["splits"], ["pack", "packed"], ["words", "cut"]],
)
def test_sources_of_one_name_are_refused_before_anything_is_done(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_bundle(tmp_path / "bundle")
    for year in ("2023", "2024"):
        (tmp_path / year).mkdir()
        lines(tmp_path / year / "export", "a.png\ttrain\tcab")
        arguments = [*arguments, "-d", f"lines:{year}/export"]
    status, output = run(*arguments, DATA_DIR=str(tmp_path))
    assert status == 1
    assert "2023/export) and lines/export (" in output
    assert not [*tmp_path.glob("packed/*"), *tmp_path.glob("cut/*")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "-d", "nothing"], "There is no dataset 'nothing'"),
        (["train", "-d", "iam:/does/not/exist"], "trainer fetch iam"),
        (["train", "--size", "huge"], "--size huge: it must be one of tiny, small, large"),
        (["evaluate", "-d", "synthetic", "--output", "PACKED/x.tsv"], "No such file or directory"),
        (["splits", "-d", "synthetic"], "synthetic has nothing to divide: it is made"),
        (["splits", "-d", "synthetic", "--val-ratio", "0.9"], "left to train on"),
        (["evaluate", "--split", "exam"], "--split exam"),
        (["evaluate", "--decoder", "magic"], "--decoder magic"),
        (["predict", "x.png", "-m", "nowhere"], "nowhere is no folder with recognizer.json"),
        (["export", "out", "--name", "unknown"], "There is no checkpoint"),
        (["pack", "PACKED", "-d", "synthetic:9@2"], "synthetic: its lines are made"),
        (["words", "PACKED", "-d", "synthetic:9"], "synthetic: its lines are made"),
        (["fetch", "moon"], "There is no set 'moon' to fetch. Known: iam"),
        (["fetch", "iam"], "--accept-terms"),
    ],
)
def test_a_mistake_is_told_in_a_line_or_two(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    named = [each.replace("PACKED", str(tmp_path / "packed")) for each in arguments]
    status, output = run(*named, DATA_DIR=str(tmp_path), CHECKPOINT_DIR=str(tmp_path))
    assert status == 1
    assert message in output
    assert "Traceback" not in output


@pytest.mark.parametrize("option", ["--minutes", "--learning-rate"])
@pytest.mark.parametrize("command", ["train", "retrain", "fit"])
def test_some_numbers_have_to_be_above_zero(command: str, option: str, tmp_path: Path) -> None:
    folder = [str(tmp_path / "run")] if command == "fit" else []
    for value in ("0", "-1", "nan"):
        status, output = run(command, *folder, option, value)
        assert status == 2
        assert "is not above 0" in output
    assert list(tmp_path.iterdir()) == []


def test_a_set_of_which_nothing_is_read_has_no_figures(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle").path
    lines(tmp_path / "set", "a.png\ttrain\tcab")
    (tmp_path / "set" / "broken.png").write_bytes(b"no image")
    (tmp_path / "set" / "lines.tsv").write_text("a.png\ttrain\tcab\nbroken.png\ttest\tcab\n")
    status, output = run("evaluate", "-m", str(bundle), "-d", f"lines:{tmp_path / 'set'}")
    assert status == 1
    assert "0.00%" not in output
    assert "lines/set: 1 could not be read" in output
    assert "Nothing was read" in output
    status, output = run(
        "evaluate", "-m", str(bundle), "-d", f"lines:{tmp_path / 'set'}", "--split", "val"
    )
    assert status == 1
    assert "has no samples in val" in output


def test_an_interrupted_fit_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes `fit && export` must not get half a network."""

    def interrupted(*arguments: object, stopped: Callable[[], bool], **options: object) -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped()
        return "interrupted"

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr("trainer.fit.fit", interrupted)
    try:
        status, output = run("fit", str(tmp_path / "run"), "-d", "synthetic:9")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert status == 128 + signal.SIGTERM
    assert "--resume" in output


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("MODEL_URI", "handwriting", "models:/NAME/Production"),
        ("TRAIN_MINUTES", "-1", "greater than 0"),
        ("TRAIN_SIZE", "huge", "tiny, small, large"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, value: str, message: str) -> None:
    status, output = run("datasets", **{variable: value})
    assert status == 1
    assert variable in output
    assert message in output


def test_an_unreachable_mlflow_is_named_with_its_setting() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "trainer", "promote", "--version", "1"],
        env={
            "PYTHONPATH": str(SERVICES),
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 1
    assert "http://127.0.0.1:9 (MLFLOW_TRACKING_URI)" in found.stderr
    assert "Traceback" not in found.stderr


def test_without_ray_it_is_said_how_to_install_it(tmp_path: Path) -> None:
    """In an interpreter that finds no Ray, as where only requirements.txt is installed."""
    program = "import sys; sys.modules['ray'] = None; from trainer.cli import main; main()"
    for command in (["splits"], ["sweep", "sweep.yaml"]):
        found = subprocess.run(
            [sys.executable, "-c", program, *command],
            env={"PYTHONPATH": str(SERVICES), "COLUMNS": "200"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert found.returncode == 1
        assert found.stderr.count("\n") == 1
        assert "pip install -r services/trainer/requirements-ray.txt" in found.stderr


def test_predict_reads_what_it_can_and_names_what_it_cannot(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle").path
    (tmp_path / "bars.png").write_bytes(bars("aa a"))
    (tmp_path / "text.png").write_text("no picture")
    files = [str(tmp_path / name) for name in ("bars.png", "text.png", "missing.png")]
    status, output = run("predict", *files, "-m", str(bundle))
    assert status == 1
    assert "aa a" in output
    assert "text.png: Not an image" in output
    assert "missing.png" in output
    assert "2 of 3 images could not be read" in output


def test_datasets_shows_counts_and_forms(tmp_path: Path) -> None:
    status, output = run("datasets", DATA_DIR=str(tmp_path))
    assert status == 0
    assert "lines:PATH" in output
    assert "synthetic" in output
    assert "20000" in output


def test_serve_takes_the_settings_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API itself reads no file: its keys must not be lost on the way."""
    started: list[dict[str, str]] = []

    def start(program: str, arguments: list[str], environment: dict[str, str]) -> None:
        started.append(environment)

    (tmp_path / ".env").write_text("API_KEYS=a:b\nWORKERS=3\nPOLL_SECONDS=\nAPI_PORT=1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.execve", start)
    given = {"WORKERS": "1", "API_KEYS": ""}
    code, said = run("serve", "-m", "models:/handwriting/2", "--port", "8765", **given)
    assert code == 0, said
    (environment,) = started
    assert environment["API_KEYS"] == "a:b"
    assert environment["WORKERS"] == "1"  # the environment goes first
    assert environment["API_PORT"] == "8765"
    assert environment["MODEL_URI"] == "models:/handwriting/2"
    assert "POLL_SECONDS" not in environment


def test_serve_says_where_the_api_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.cli.serve.find_spec", lambda name: None)
    code, said = run("serve", "-m", "models:/handwriting/2")
    assert code == 1
    assert "The API is not installed here" in said
