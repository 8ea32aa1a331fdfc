"""`trainer register`: a bundle made elsewhere enters the registry through the gate."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from servers import Mlflow
from trainer.cli import app

MODEL = "registered"


@pytest.fixture
def register(mlflow_server: Mlflow, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        environment = {
            "MLFLOW_TRACKING_URI": mlflow_server.uri,
            "MODEL_URI": f"models:/{MODEL}/Production",
            "DATA_DIR": str(tmp_path / "none"),
            "COLUMNS": "300",
        }
        found = CliRunner().invoke(app, ["register", *arguments], env=environment)
        return found.exit_code, found.output + (found.stderr if found.stderr_bytes else "")

    return run


def test_a_bundle_is_registered_and_judged(
    mlflow_server: Mlflow, register: Callable[..., tuple[int, str]], bundle: Callable[..., Path]
) -> None:
    status, output = register(str(bundle("a")))
    assert status == 0, output
    assert "Registered as version 1" in output
    assert "Gate: first" in output

    status, output = register(str(bundle("a")), "--synthetic")
    assert status == 0, output
    assert "Gate: rejected. Version 1 learnt from real handwriting" in output
    assert "promote --version 2" in output

    status, output = register(str(bundle("a")))
    assert "Gate: promoted. It reads no worse" in output
    client = MlflowClient(mlflow_server.uri)
    versions = {each.version: each for each in client.search_model_versions(f"name='{MODEL}'")}
    assert [versions[number].current_stage for number in "123"] == [
        "Archived",
        "None",
        "Production",
    ]
    assert versions["2"].tags["gate.decision"] == "rejected"
    assert versions["3"].run_id != versions["1"].run_id


def test_a_folder_that_is_no_bundle_is_refused(
    register: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    status, output = register(str(tmp_path))
    assert status == 1
    assert "recognizer.json" in output
    assert "Traceback" not in output
