"""`trainer register`: a bundle made elsewhere enters the registry through the gate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from servers import Mlflow
from trainer import gate
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


def test_what_comes_into_production_meanwhile_is_compared_with_too(
    mlflow_server: Mlflow,
    register: Callable[..., tuple[int, str]],
    bundle: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, name = MlflowClient(mlflow_server.uri), MODEL
    numbers = [mlflow_server.register(bundle(letter), name) for letter in "aa"]
    mlflow_server.move(numbers[0], "Production", name)
    decide, compared = gate.decide, []

    def slowly(*arguments: Any, **named: Any) -> gate.Decision:
        compared.append(named["incumbent"])
        if len(compared) == 1:  # somebody promotes another while this one is measured
            mlflow_server.move(numbers[1], "Production", name)
        return decide(*arguments, **named)

    monkeypatch.setattr(gate, "decide", slowly)
    status, output = register(str(bundle("a")))
    assert status == 0, output
    assert compared == numbers
    assert f"of version {numbers[1]}" in " ".join(output.split())
    assert client.get_model_version(name, numbers[1]).current_stage == "Archived"


def test_nothing_is_promoted_to_a_pinned_version(
    mlflow_server: Mlflow,
    bundle: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    name = "pinned"
    number = mlflow_server.register(bundle("a"), name)
    environment = {
        "MLFLOW_TRACKING_URI": mlflow_server.uri,
        "MODEL_URI": f"models:/{name}/{number}",
        "DATA_DIR": str(tmp_path / "none"),
        "COLUMNS": "300",
    }
    found = CliRunner().invoke(app, ["register", str(bundle("a"))], env=environment)
    assert found.exit_code == 0, found.output
    assert f"Gate: rejected. MODEL_URI pins version {number}." in found.output
