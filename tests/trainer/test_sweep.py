"""`sweep.yaml`: what it may say, what is said of mistakes in it, and the command it comes to."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from trainer.cli import app
from trainer.cli.studies import table_of
from trainer.recipe import Recipe
from trainer.sweep import SweepError, command, read
from trainer.trial import Job, job_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "sweep.yaml"
GOOD = "dataset: synthetic:9\nparameters: {learning_rate: {uniform: [0.001, 0.002]}}\n"


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "sweep.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def job(tmp_path: Path, *datasets: str) -> Job:
    return Job(
        name="trial",
        datasets=datasets,
        recipe=Recipe(),
        parent="none",
        folder=tmp_path,
        environment={"CHECKPOINT_DIR": str(tmp_path)},
    )


def test_the_example_is_one() -> None:
    sweep = read(EXAMPLE)
    assert sweep.trials == 8
    assert sweep.parameters["size"].values == ["small"]
    assert sweep.parameters["batch_size"].kind == "choice"
    assert sweep.early_stopping is not None


def test_numbers_are_numbers_however_yaml_takes_them(tmp_path: Path) -> None:
    """YAML 1.1 takes 1e-3 for a word."""
    text = "dataset: [synthetic:9]\nparameters: {learning_rate: {choice: [1e-3, 2e-3]}, dropout: 0}"
    sweep = read(written(tmp_path, text))
    assert sweep.parameters["learning_rate"].values == [0.001, 0.002]
    assert sweep.parameters["dropout"].values == [0.0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dataset: [", "is not YAML"),
        ("", "dataset: Field required"),
        (GOOD + "trails: 3", "trails: Extra inputs"),
        (GOOD + "trials: 0", "trials: Input should be greater than or equal to 1"),
        (GOOD + "metric: speed", "metric: Input should be 'val_cer'"),
        (GOOD.replace("learning_rate", "lr"), "lr is none of size, batch_size"),
        (GOOD.replace("uniform", "normal"), "parameters.learning_rate.normal: Extra inputs"),
        (GOOD.replace("[0.001, 0.002]", "[0.002, 0.001]"), "from a lower to a higher"),
        (GOOD.replace("uniform: [0.001", "loguniform: [0"), "learning_rate: loguniform begins"),
        (GOOD.replace("learning_rate", "batch_size"), "batch_size takes whole numbers"),
        (GOOD.replace("learning_rate", "dropout").replace("0.002", "2"), "dropout: 2.0: Input"),
        (GOOD.replace("{uniform: [0.001, 0.002]}", "[1]"), "learning_rate"),
        ("dataset: a\nparameters: {size: huge}", "size: 'huge': Input should be 'tiny'"),
        (GOOD + "weights: {mine: {uniform: [1, 2]}}", "mine is not among the datasets"),
        (GOOD + "weights: {'synthetic:9': {uniform: [0, 2]}}", "synthetic:9: 0.0: Input"),
        ("dataset: a@2\nparameters: {dropout: 0}\nweights: {a@2: 1}", "a@2 has one already"),
        (GOOD + "early_stopping: {grace_epochs: 0}", "early_stopping.grace_epochs"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SweepError) as error:
        read(file)
    assert says in str(error.value)
    assert str(file) in str(error.value)
    done = CliRunner().invoke(app, ["sweep", str(file)], env={"COLUMNS": "300"})
    assert done.exit_code == 1
    assert says in done.output
    assert "Traceback" not in done.output


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match=r"nowhere\.yaml cannot be read"):
        read(tmp_path / "nowhere.yaml")


def test_parameters_and_weights_make_a_job_and_a_command(tmp_path: Path) -> None:
    drawn = {"learning_rate": 0.003, "batch_size": 8, "weights": {"1": 0.51234}}
    made = job_of(job(tmp_path, "synthetic:9", "lines:my lines"), 3, drawn)
    assert made.name == "trial-3"
    assert made.recipe == Recipe(learning_rate=0.003, batch_size=8)
    assert made.datasets == ("synthetic:9", "lines:my lines@0.512")
    assert command(made) == (
        "python -m trainer train -d synthetic:9 -d 'lines:my lines@0.512' --size small "
        "--batch-size 8 --learning-rate 0.003"
    )


def test_a_table_of_many_settings_is_read_in_a_narrow_terminal() -> None:
    trials = [
        {
            "run": f"trial-{number}",
            "size": "small",
            "learning_rate": f"0.00{number}",
            "optimizer": "muon" if number % 2 else "adamw",
            "dropout": f"0.{number}",
            "augmentation": f"0.7{number}",
            "epochs": str(number),
            "val CER": f"{number}.50%",
            "test CER": "2.31%" if number == 1 else "",
            "version": "",
            "ended": "stopped early" if number > 1 else "all epochs",
        }
        for number in (1, 2, 3)
    ]
    console = Console(width=80, file=StringIO())
    console.print(table_of(trials, without={"test CER"}))
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    for trial in trials:
        row = next(line for line in text.splitlines() if trial["run"] in line)
        for name in ("learning_rate", "optimizer", "dropout", "augmentation", "val CER"):
            assert trial[name] in row
    assert "2.31%" not in text
    assert "…" not in text
    assert text.rstrip().endswith("Of all: size small")
