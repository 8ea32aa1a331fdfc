"""The entry points of MLproject, through the real `mlflow run` on a real server."""

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from servers import Mlflow, free_port
from trainer.datasets.synthetic import SyntheticDataset

ROOT = Path(__file__).parents[2]
MODEL = "projects"
EXAMPLE = ROOT / "examples" / "letter.png"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mlflow", "run", str(ROOT), "--env-manager", "local", *arguments]


def run(environment: dict[str, str], *arguments: str, status: int = 0) -> str:
    """What an entry point prints, on both streams."""
    done = subprocess.run(
        command(*arguments),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
        cwd=ROOT,
    )
    assert bool(done.returncode) == bool(status), done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def environment(mlflow_server: Mlflow, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    state = tmp_path_factory.mktemp("state")
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": mlflow_server.uri,
        "MODEL_URI": f"models:/{MODEL}/Production",
        "MODEL_CACHE_DIR": str(state / "cache"),
        "DATA_DIR": str(state / "datasets"),
        "CHECKPOINT_DIR": str(state / "checkpoints"),
        "COLUMNS": "200",
    }


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Words in twenty documents of six, all of them to train on."""
    folder = tmp_path_factory.mktemp("lines")
    rows = []
    made = SyntheticDataset(train=120, val=0, test=0, level="word").samples("train")
    for number, sample in enumerate(made):
        file = folder / f"{number}.png"
        Image.fromarray(sample.image()).save(file)
        rows.append(f"{file.name}\ttrain\t{sample.text}\tdocument-{number % 20}")
    (folder / "lines.tsv").write_text("\n".join([*rows, ""]), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(environment: dict[str, str], lines: Path, mlflow_server: Mlflow) -> str:
    """The id of the run that the entry point `train` made."""
    options = {
        "dataset": f"lines:{lines}",
        "batch_size": 32,
        "epochs": 1,
        "train_ratio": 0.75,
        "val_ratio": 0.15,
        "from_scratch": "true",
        # not parameters of MLproject: passed on as options, and logged as they are written
        "size": "tiny",
        "minutes": 10,
        "dropout": 0,
    }
    given = [part for name, value in options.items() for part in ("-P", f"{name}={value}")]
    run(environment, "-e", "train", *given)
    (version,) = mlflow_server.client.search_model_versions(f"name = '{MODEL}'")
    return str(version.run_id)


@pytest.fixture(scope="module")
def served(environment: dict[str, str], trained: str) -> Iterator[str]:
    """Where the entry point `serve` answers for the run."""
    port = free_port()
    model = f"model_uri=runs:/{trained}/model"
    with subprocess.Popen(
        command("-e", "serve", "-P", model, "-P", f"port={port}"),
        env=environment,
        start_new_session=True,
    ) as process:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        try:
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    if httpx.get(f"{url}/health/ready").status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                time.sleep(0.2)
            assert process.poll() is None
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def test_alone_it_reads_an_example(environment: dict[str, str]) -> None:
    assert "\tPlease meet me at the station on Friday\n" in run(environment)


def test_train_divides_trains_and_registers(trained: str, mlflow_server: Mlflow) -> None:
    client = mlflow_server.client
    found = client.get_run(trained)
    # the run that MLflow began for the project, and no other beside it
    assert found.data.tags["mlflow.project.entryPoint"] == "train"
    assert found.info.status == "FINISHED"
    parameters = found.data.params
    assert parameters["batch_size"] == "32"
    assert parameters["size"] == "tiny"
    assert (parameters["minutes"], parameters["dropout"]) == ("10", "0")
    assert parameters["start"] == "random weights"
    assert [int(parameters[f"{split}_samples"]) for split in ("train", "val", "test")] == [
        90,
        16,
        10,
    ]  # of 18 and 12 two each have characters that are in no line to train on
    rows = (
        Path(client.download_artifacts(trained, "test/samples.tsv")).read_text("utf-8").splitlines()
    )
    assert rows[0] == "image\tid\ttruth\treading"
    assert len(rows) == 1 + 10


def test_serve_answers_files_and_base64(served: str) -> None:
    image = EXAMPLE.read_bytes()
    text = {"image": base64.b64encode(image).decode()}
    by_file = httpx.post(f"{served}/predict", files={"image": image}, timeout=30)
    by_text = httpx.post(f"{served}/predict", data=text, timeout=30)
    assert by_file.status_code == by_text.status_code == 200, by_file.text + by_text.text
    assert by_file.json()["text"] == by_text.json()["text"]
    assert by_file.json()["model"] == {"name": MODEL, "version": "1", "stage": "version"}


def test_serve_leaves_mlflow_its_port(environment: dict[str, str], mlflow_server: Mlflow) -> None:
    port = mlflow_server.uri.rpartition(":")[2]
    told = run(environment, "-e", "serve", "-P", f"port={port}", status=1)
    assert f"--port {port} is MLflow's" in told


def test_sample_shows_truth_and_reading(
    environment: dict[str, str], trained: str, served: str, mlflow_server: Mlflow
) -> None:
    listed = Path(mlflow_server.client.download_artifacts(trained, "test/samples.tsv"))
    truth = listed.read_text("utf-8").splitlines()[2].split("\t")[2]
    given = ("-P", f"run={trained}", "-P", f"url={served}")
    told = run(environment, "-e", "sample", *given, "-P", "number=2")
    assert truth in told
    assert "edit distance" in told
    assert f"{MODEL} 1" in told
    assert "keeps 10 images, no number 99" in run(
        environment, "-e", "sample", *given, "-P", "number=99", status=1
    )


def test_infer_opens_what_a_run_registered(environment: dict[str, str], trained: str) -> None:
    given = ("-P", f"model_uri=runs:/{trained}/model", "-P", f"image_path={EXAMPLE}")
    assert f"{EXAMPLE}\t" in run(environment, "-e", "infer", *given)
    nothing = ("-P", "model_uri=runs:/0123456789abcdef/model", "-P", f"image_path={EXAMPLE}")
    told = run(environment, "-e", "infer", *nothing, status=1)
    assert "run 0123456789abcdef has registered no version" in told
