"""Runs side by side, on a real MLflow server."""

import warnings
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from mlflow import MlflowClient
from PIL import Image
from typer.testing import CliRunner

from servers import Mlflow
from trainer.cli import app
from trainer.compare import RunError, differing, find, picture, scores
from trainer.tracking import EXPERIMENT

Make = Callable[..., str]


@pytest.fixture
def client(mlflow_server: Mlflow) -> MlflowClient:
    return mlflow_server.client


@pytest.fixture
def make(client: MlflowClient) -> Make:
    """Logs a run of two epochs: its id."""

    def make(name: str, cers: tuple[float, float], **parameters: object) -> str:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        id_ = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
        run: str = client.create_run(id_, run_name=name).info.run_id
        for key, value in {"size": "tiny", **parameters}.items():
            client.log_param(run, key, value)
        for epoch, cer in enumerate(cers, start=1):
            client.log_metric(run, "val_cer", cer, step=epoch)
            client.log_metric(run, "learning_rate", 1e-3, step=epoch)
        client.log_metric(run, "test_exact", 1 - cers[-1])
        client.log_metric(run, "system/cpu_utilization_percentage", 50.0)
        return run

    return make


def test_runs_are_found_by_id_beginning_name_and_version(
    make: Make, client: MlflowClient, mlflow_server: Mlflow, bundle: Callable[..., Path]
) -> None:
    name = f"found-{uuid4().hex}"
    run = make(name, (0.5, 0.4))
    for named in (run, run[:12], name):
        assert find(client, named).id == run
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        version = mlflow_server.register(bundle(), name)
    assert find(client, f"models:/{name}/{version}").curves["val_cer"] == []
    with pytest.raises(RunError, match=f"no version with a run.*{name}"):
        find(client, f"models:/{name}/99")


def test_a_name_that_says_too_little_is_answered_with_those_there_are(
    make: Make, client: MlflowClient
) -> None:
    name = f"twice-{uuid4().hex}"
    both = [make(name, (0.5, 0.4)) for _ in range(2)]
    with pytest.raises(RunError, match="2 runs are called") as error:
        find(client, name)
    assert all(run[:8] in str(error.value) for run in both)
    with pytest.raises(RunError, match=f"No run is called nothing.*{name}"):
        find(client, "nothing")


def test_what_differs_and_what_came_of_it(make: Make, client: MlflowClient) -> None:
    runs = [
        find(client, make("a", (0.5, 0.6), seed=1)),
        find(client, make("b", (0.6, 0.4), seed=2, dropout=0.1)),
    ]
    assert differing(runs) == {"seed": ["1", "2"], "dropout": ["-", "0.1"]}
    rows = {row.name: row for row in scores(runs)}
    assert list(rows) == ["test_exact", "val_cer"]  # the test's first; no rates, no load
    assert rows["val_cer"].values == [0.5, 0.4]  # the best epoch's, as it is the one that is kept
    assert rows["val_cer"].best == {1}
    assert rows["test_exact"].best == {1}


def test_the_best_is_nobodys_where_all_are_alike(make: Make, client: MlflowClient) -> None:
    runs = [find(client, make(name, (0.5, 0.4))) for name in ("a", "b")]
    assert [row.best for row in scores(runs)] == [set(), set()]
    assert scores(runs[:1])[0].best == set()


def test_the_curves_are_a_picture(make: Make, client: MlflowClient, tmp_path: Path) -> None:
    runs = [find(client, make(name, (0.5, 0.4))) for name in ("a", "b")]
    picture(runs, tmp_path / "new" / "curves.png")
    with Image.open(tmp_path / "new" / "curves.png") as image:
        assert image.width > 800


def test_the_command(make: Make, mlflow_server: Mlflow, tmp_path: Path) -> None:
    env = {"MLFLOW_TRACKING_URI": mlflow_server.uri, "COLUMNS": "200"}
    runs = [make("plain", (0.5, 0.45), seed=1), make("[bold]", (0.5, 0.4), seed=2)]
    file = tmp_path / "curves.png"
    done = CliRunner().invoke(app, ["compare", *runs, "--output", str(file)], env=env)
    assert done.exit_code == 0, done.output
    assert "[bold]" in done.output
    assert "0.45" in done.output
    assert f"Curves: {file}" in done.output
    assert file.is_file()
    alone = CliRunner().invoke(app, ["compare", runs[0]], env=env)
    assert alone.exit_code == 1
    assert "two runs or more" in alone.output


def test_of_accuracies_the_highest_is_the_best(make: Make, client: MlflowClient) -> None:
    made = [make(name, (0.5, 0.4)) for name in ("a", "b")]
    for run, accuracies in zip(made, ((0.7, 0.9, 0.8), (0.7, 0.8, 0.85)), strict=True):
        client.log_metric(run, "test_accuracy", accuracies[-1])
        for epoch, value in enumerate(accuracies, 1):
            client.log_metric(run, "val_accuracy", value, step=epoch)
    rows = {row.name: row for row in scores([find(client, run) for run in made])}
    assert rows["val_accuracy"].values == [0.9, 0.85]  # the best epoch's
    assert (rows["val_accuracy"].best, rows["test_accuracy"].best) == ({0}, {1})
