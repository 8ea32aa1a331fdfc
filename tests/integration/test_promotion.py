"""The trainer's side of the registry, on a real MLflow server."""

import json
import re
from pathlib import Path

import mlflow
import pytest

from bundles import make_bundle
from recognizer.address import Address
from recognizer.bundle import Bundle
from recognizer.recognizer import Recognizer
from servers import Mlflow
from trainer.bootstrap import register_starter, trained
from trainer.gate import Decision
from trainer.registry import Registry, RegistryError


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A registered model for each test; a name holds no slash and no colon."""
    return re.sub(r"\W+", "-", request.node.name).strip("-")


def registered(server: Mlflow, name: str, folder: Path, letters: str) -> None:
    """A model of this name with a version for each letter."""
    for letter in letters:
        server.register(make_bundle(folder / letter / "bundle", letter).path, name)


@pytest.mark.parametrize("suffix", ["/Production", "@champion"])
def test_promoting_moves_what_the_address_names(
    mlflow_server: Mlflow, name: str, suffix: str, tmp_path: Path
) -> None:
    registered(mlflow_server, name, tmp_path, "ab")
    registry = Registry(mlflow_server.uri, Address.parse(f"models:/{name}{suffix}"))
    assert registry.current() is None
    for number in ("1", "2", "1"):
        registry.promote(number)
        current = registry.current()
        assert current is not None
        assert current.number == number


def test_a_stage_keeps_one_version_and_archives_the_one_before(
    mlflow_server: Mlflow, name: str, tmp_path: Path
) -> None:
    registered(mlflow_server, name, tmp_path, "ab")
    registry = Registry(mlflow_server.uri, Address.parse(f"models:/{name}/Production"))
    registry.promote("1")
    registry.promote("2")
    stages = {
        found.version: found.current_stage
        for found in mlflow_server.client.search_model_versions(f"name = '{name}'")
    }
    assert {str(number): stage for number, stage in stages.items()} == {
        "1": "Archived",
        "2": "Production",
    }


def test_a_pinned_address_names_its_version_and_cannot_be_promoted_to(
    mlflow_server: Mlflow, name: str, tmp_path: Path
) -> None:
    registered(mlflow_server, name, tmp_path, "ab")
    registry = Registry(mlflow_server.uri, Address.parse(f"models:/{name}/2"))
    current = registry.current()
    assert current is not None
    assert current.number == "2"
    with pytest.raises(RegistryError, match="pins version 2"):
        registry.promote("1")


@pytest.mark.parametrize("suffix", ["/Production", "@champion"])
def test_promoting_an_unknown_version_names_those_there_are(
    mlflow_server: Mlflow, name: str, suffix: str, tmp_path: Path
) -> None:
    registered(mlflow_server, name, tmp_path, "a")
    registry = Registry(mlflow_server.uri, Address.parse(f"models:/{name}{suffix}"))
    with pytest.raises(RegistryError, match=r"has no version 9 \(versions: 1\)"):
        registry.promote("9")


def test_the_gate_is_recorded_at_the_version_and_at_the_model(
    mlflow_server: Mlflow, name: str, tmp_path: Path
) -> None:
    registered(mlflow_server, name, tmp_path, "ab")
    registry = Registry(mlflow_server.uri, Address.parse(f"models:/{name}/Production"))
    decision = Decision("rejected", "It reads the frozen set worse.", 0.3, "1", 0.2)
    registry.record_gate("2", decision.as_dict())
    tags = mlflow_server.client.get_model_version(name, "2").tags
    assert tags["gate.decision"] == "rejected"
    assert tags["gate.cer"] == "0.30000"
    latest = json.loads(mlflow_server.client.get_registered_model(name).tags["gate.latest"])
    assert latest["version"] == "2"
    assert latest["incumbent"] == "1"


def test_a_registered_bundle_is_a_pyfunc_that_reads_the_same(
    mlflow_server: Mlflow, name: str, tmp_path: Path
) -> None:
    import pandas as pd

    bundle = make_bundle(tmp_path / "made", "c")
    registry = Registry(mlflow_server.uri, Address.parse(f"models:/{name}/Production"))
    mlflow.set_experiment(name)
    with mlflow.start_run():
        version = registry.register(bundle, description="Three bars.", tags={"size": "none"})
    found = mlflow_server.client.get_model_version(name, version.number)
    assert found.description == "Three bars."
    assert found.tags == {"size": "none"}
    model = mlflow.pyfunc.load_model(f"models:/{name}/{version.number}")
    image = (bundle.path / "golden" / "bars.png").read_bytes()
    read = model.predict(pd.DataFrame({"image": [image]}))
    assert read["text"].tolist() == ["ccc cc"]
    assert model.predict(pd.DataFrame({"image": [image]}), params={"level": "word"})[
        "text"
    ].tolist() == ["ccccc"]
    # it has neither language model nor lexicon: the best it offers
    for decoder in ("auto", "greedy"):
        read = model.predict(pd.DataFrame({"image": [image]}), params={"decoder": decoder})
        assert read["text"].tolist() == ["ccc cc"]
    copy = registry.bundle(version, tmp_path)
    assert Bundle.load(copy).manifest == bundle.manifest


def test_the_first_start_registers_the_starter_once_and_promotes_it(
    mlflow_server: Mlflow, name: str, tmp_path: Path
) -> None:
    registry = Registry(mlflow_server.uri, Address.parse(f"models:/{name}/Production"))
    version = register_starter(registry)
    assert register_starter(registry).number == version.number == "1"
    current = registry.current()
    assert current is not None
    assert current.number == "1"
    assert trained(registry) == []


def test_a_promoted_version_is_left_in_production_by_the_next_start(
    mlflow_server: Mlflow, name: str, tmp_path: Path
) -> None:
    registered(mlflow_server, name, tmp_path, "a")
    registry = Registry(mlflow_server.uri, Address.parse(f"models:/{name}/Production"))
    registry.promote("1")
    register_starter(registry)
    current = registry.current()
    assert current is not None
    assert current.number == "1"


def test_the_starter_reads_its_golden_images() -> None:
    from trainer.bootstrap import STARTER_BUNDLE

    Recognizer.load(STARTER_BUNDLE).check()
