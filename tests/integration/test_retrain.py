"""The loop: people correct what is read, the model learns from it, and the gate judges."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from servers import Api, Mlflow, wait
from trainer.datasets.synthetic import SyntheticDataset
from trainers import environment_of, trainer

MODEL = "retrained"
LINES = 120
NARROW = 0.4


@pytest.fixture(scope="module")
def environment(mlflow_server: Mlflow, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    state = tmp_path_factory.mktemp("state")
    corrections = str(state / "corrections")
    return environment_of(mlflow_server, MODEL, state) | {"CORRECTIONS_DIR": corrections}


@pytest.fixture(scope="module")
def api(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API that serves the starter."""
    trainer(environment, "register", "services/trainer/starter")
    names = ("MLFLOW_TRACKING_URI", "MODEL_URI", "CORRECTIONS_DIR")
    settings = {name: environment[name] for name in names}
    with Api(tmp_path_factory.mktemp("api"), POLL_SECONDS="0.2", **settings) as api:
        api.wait_ready()
        yield api


def written() -> list[tuple[bytes, str]]:
    """Lines of somebody who writes very narrowly, and what they say."""
    found = []
    for sample in SyntheticDataset(train=LINES, val=0, test=0, level="line").samples("train"):
        wide = Image.fromarray(sample.image())
        stream = io.BytesIO()
        wide.resize((round(NARROW * wide.width), wide.height)).save(stream, "PNG")
        found.append((stream.getvalue(), sample.text))
    return found


def correct(client: httpx.Client, file: bytes, text: str) -> bool:
    """Have a line read and save what it says; whether it was read wrongly."""
    read = client.post("/predict?level=line", files={"image": file}).json()
    (line,) = read["lines"]
    correction = {
        "lines": [{"box": line["box"], "reading": line["text"], "text": text}],
        "level": read["level"],
        "model": read["model"],
    }
    answer = client.post(
        "/corrections", files={"image": file}, data={"correction": json.dumps(correction)}
    )
    assert answer.status_code == 201, answer.text
    return bool(line["text"] != text)


@pytest.mark.slow
def test_what_was_corrected_is_learnt_and_then_served(
    api: Api, environment: dict[str, str], mlflow_server: Mlflow
) -> None:
    with httpx.Client(base_url=api.uri, timeout=60) as people:
        wrong = [correct(people, file, text) for file, text in written()]
    assert sum(wrong) > LINES / 2
    said = trainer(environment, "retrain", "--minutes", "2", "-d", "synthetic:2000")
    assert f"{LINES} corrected lines" in said
    assert "It starts from version 1" in said
    assert "Gate: promoted. It reads corrections better" in said, said

    client = mlflow_server.client
    version = client.get_model_version(MODEL, "2")
    assert version.current_stage == "Production"
    run = client.get_run(version.run_id or "")
    before, after = (run.data.metrics[f"corrections_cer_{when}"] for when in ("before", "after"))
    assert after < 0.8 * before
    names = {each.path for each in client.list_artifacts(run.info.run_id, "corrections")}
    assert names == {"corrections/changes.html", "corrections/changes.tsv"}

    def served() -> bool:
        return bool(httpx.get(f"{api.uri}/model").json()["version"] == "2")

    wait(served, 30)


def test_without_corrections_it_says_so(environment: dict[str, str], tmp_path: Path) -> None:
    empty = environment | {"CORRECTIONS_DIR": str(tmp_path / "none")}
    assert "no corrections" in trainer(empty, "retrain", fails=True)
    assert "CORRECTIONS_DIR" in trainer(
        environment | {"CORRECTIONS_DIR": ""}, "retrain", fails=True
    )
