"""The main job: train on lines, register, promote, serve, read through HTTP."""

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from PIL import Image

from servers import Api, Mlflow, free_port
from trainer.datasets.lines import LinesDataset
from trainer.datasets.synthetic import SyntheticDataset
from trainers import environment_of, trainer

MODEL = "loop"
COUNTS = {"train": 160, "val": 24, "test": 24}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of lines: real ones where they are at hand, else synthetic ones."""
    folder = tmp_path_factory.mktemp("lines")
    real = Path(__file__).parents[3] / "shared" / "data" / "hooker"
    rows = []
    for split, count in COUNTS.items():
        if real.is_dir():
            for sample in LinesDataset(real).samples(split)[:count]:  # type: ignore[arg-type]
                file = real / sample.id
                rows.append(f"{file}\t{split}\t{sample.text}\t{sample.document}")
        else:
            samples = SyntheticDataset(train=count, val=count, test=count, level="line")
            for number, sample in enumerate(samples.samples(split)):  # type: ignore[arg-type]
                file = folder / f"{split}-{number}.png"
                Image.fromarray(sample.image()).save(file)
                rows.append(f"{file}\t{split}\t{sample.text}\t{sample.document}")
    (folder / "lines.tsv").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def environment(mlflow_server: Mlflow, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment_of(mlflow_server, MODEL, tmp_path_factory.mktemp("state"))


TINY = ("--size", "tiny", "--from-scratch", "--epochs", "2", "--learning-rate", "0.003")


@pytest.fixture(scope="module")
def trained(environment: dict[str, str], lines: Path) -> str:
    """What the trainer printed while it made version 1."""
    return trainer(environment, "train", "-d", f"lines:{lines}", *TINY, "--name", "loop")


def test_a_first_training_is_registered_and_promoted(trained: str, mlflow_server: Mlflow) -> None:
    assert "Registered as version 1" in trained
    assert "Gate: first" in trained
    version = mlflow_server.client.get_model_version(MODEL, "1")
    assert version.current_stage == "Production"
    assert version.tags["gate.decision"] == "first"
    assert version.tags["trained_on_real"] == "true"


def test_the_run_has_what_people_look_for(trained: str, mlflow_server: Mlflow) -> None:
    client = mlflow_server.client
    run = client.get_run(client.get_model_version(MODEL, "1").run_id or "")
    assert run.data.params["size"] == "tiny"
    assert len(run.data.params["dataset_digest"]) == 64
    expected = {"train_loss", "val_loss", "val_cer", "val_wer", "val_edit_distance"}
    expected |= {"test_loss", "test_cer", "test_wer", "test_edit_distance", "lines_per_second"}
    assert expected <= set(run.data.metrics)
    curve = client.get_metric_history(run.info.run_id, "train_loss")
    assert [point.step for point in curve] == [1, 2]
    assert curve[1].value < curve[0].value

    def names(folder: str) -> set[str]:
        return {found.path for found in client.list_artifacts(run.info.run_id, folder or None)}

    assert {"train.log", "MODEL_CARD.md", "gate.json"} <= names("")
    assert names("plots") == {"plots/loss.png", "plots/cer.png"}
    assert {f"data/{split}.tsv" for split in COUNTS} | {"data/vocabulary.json"} <= names("data")
    assert {"test/readings.png", "test/worst.tsv", "test/confusions.png"} <= names("test")


def test_the_api_reads_held_out_lines_as_the_trainer_does(
    trained: str, environment: dict[str, str], lines: Path, tmp_path: Path
) -> None:
    readings = tmp_path / "readings.tsv"
    trainer(environment, "evaluate", "-d", f"lines:{lines}", "--output", str(readings))
    expected = [row.split("\t") for row in readings.read_text(encoding="utf-8").splitlines()]
    assert len(expected) == COUNTS["test"]
    settings = {key: environment[key] for key in ("MLFLOW_TRACKING_URI", "MODEL_URI")}
    with Api(tmp_path, **settings) as api, httpx.Client(base_url=api.uri, timeout=60) as client:
        api.wait_ready()
        for file, _truth, text, confidence in expected:
            answer = client.post("/predict", files={"image": Path(file).read_bytes()})
            assert answer.json()["text"] == text
            assert answer.json()["confidence"] == pytest.approx(float(confidence), abs=2e-3)
        assert client.get("/model").json()["version"] == "1"


def test_mlflow_models_serve_reads_the_same(
    trained: str, environment: dict[str, str], lines: Path, tmp_path: Path
) -> None:
    files = [sample.id for sample in LinesDataset(lines).samples("test")[:3]]
    expected = trainer(environment, "predict", *files).splitlines()
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["-m", environment["MODEL_URI"], "--port", str(port), "--workers", "1"]
    # `mlflow models serve` starts whatever uvicorn is first on PATH
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (tmp_path / "serve.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            env={**environment, "PATH": path},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait(f"http://127.0.0.1:{port}/ping", server)
            images = [[base64.b64encode(Path(file).read_bytes()).decode()] for file in files]
            answer = httpx.post(
                f"http://127.0.0.1:{port}/invocations",
                json={"dataframe_split": {"columns": ["image"], "data": images}},
                timeout=60,
            )
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    texts = [prediction["text"] for prediction in answer.json()["predictions"]]
    assert texts == [line.split("\t")[2] for line in expected]


def test_sigterm_writes_a_checkpoint_and_resume_goes_on_in_the_same_run(
    trained: str, environment: dict[str, str], lines: Path, mlflow_server: Mlflow
) -> None:
    arguments = ["train", "-d", f"lines:{lines}", *TINY, "--name", "cut", "--epochs", "3"]
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if "epoch 1:" in line and "CER" in line:
            process.send_signal(signal.SIGTERM)
            break
    rest, _ = process.communicate(timeout=120)
    said += rest
    assert process.returncode == 128 + signal.SIGTERM, said
    assert "--resume --name cut" in said
    assert "Traceback" not in said
    run_id = (Path(environment["CHECKPOINT_DIR"]) / "cut" / "run_id.txt").read_text()
    assert mlflow_server.client.get_run(run_id).info.status == "KILLED"
    resumed = trainer(environment, *arguments, "--resume")
    assert f"(run {run_id})" in resumed
    curve = mlflow_server.client.get_metric_history(run_id, "val_loss")
    assert [point.step for point in curve] == [1, 2, 3]
    assert mlflow_server.client.get_run(run_id).info.status == "FINISHED"


def test_the_gate_says_at_the_version_why_it_chose(
    trained: str, environment: dict[str, str], lines: Path, mlflow_server: Mlflow
) -> None:
    said = trainer(
        environment, "train", "-d", f"lines:{lines}", *TINY[:-4], "--epochs", "1", "--name", "worse"
    )
    number = said.split("Registered as version ")[1].split()[0]
    tags = mlflow_server.client.get_model_version(MODEL, number).tags
    assert tags["gate.decision"] in ("promoted", "rejected")
    assert tags["gate.reason"].replace("\n", " ") in said.replace("\n", " ")
    promoted = mlflow_server.client.get_model_version(MODEL, number).current_stage == "Production"
    assert promoted == (tags["gate.decision"] == "promoted")


def _wait(url: str, process: "subprocess.Popen[bytes]", seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"{url} did not answer")
