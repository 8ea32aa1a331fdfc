"""`splits` and `sweep` on a real Ray and a real MLflow: all runs, their parent, and their ends."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

from ray_head import head
from servers import Mlflow
from trainer.datasets.synthetic import SyntheticDataset
from trainers import environment_of

MODEL = "studies"
SWEEP = """
dataset: lines:{lines}
trials: {trials}
epochs: {epochs}
from_scratch: true
seed: {seed}
early_stopping: null
parameters:
  size: tiny
  learning_rate: {{choice: {rates}}}
"""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty words of ten documents, of one width: a network is compiled for each."""
    folder = tmp_path_factory.mktemp("words")
    rows = []
    samples = SyntheticDataset(train=40, val=0, test=0, level="word").samples("train")
    for number, sample in enumerate(samples):
        Image.fromarray(sample.image()).resize((96, 32)).save(folder / f"{number}.png")
        split = ("val", "test", "train", "train")[number % 10 // 3]
        rows.append(f"{number}.png\t{split}\t{sample.text}\tdocument-{number % 10}")
    (folder / "lines.tsv").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture
def environment(mlflow_server: Mlflow, tmp_path: Path) -> dict[str, str]:
    return environment_of(mlflow_server, MODEL, tmp_path) | {"COLUMNS": "200"}


@dataclass
class Said:
    """What a command printed, its exit status, and the most memory that it and all below took."""

    text: str
    status: int
    memory: int

    def after(self, words: str) -> str:
        """The line that follows on these words, or the rest of theirs."""
        return self.text.split(words)[1].strip().splitlines()[0]


def trainer(environment: dict[str, str], *arguments: str) -> Said:
    process = begun(environment, *arguments)
    most = 0
    with process:
        assert process.stdout
        reader = threading.Thread(target=lambda: said.append(process.stdout.read()))  # type: ignore[union-attr]
        said: list[str] = []
        reader.start()
        while process.poll() is None:
            most = max(most, taken_by(process.pid))
            time.sleep(0.5)
        reader.join()
    return Said(said[0], process.returncode, most)


def begun(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def taken_by(pid: int) -> int:
    """Bytes of a process and of all below it."""
    whole = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            whole += process.memory_full_info().pss
    except psutil.Error:  # one has just ended: the next look sees the others
        pass
    return whole


def nested(client: MlflowClient, parent: str) -> dict[str, Run]:
    """Runs below a parent by their names."""
    experiment = client.get_run(parent).info.experiment_id
    found = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    names = {str(run.info.run_name): run for run in found}
    assert len(names) == len(found)
    return names


def test_splits_make_a_run_and_a_version_for_each_part(
    environment: dict[str, str], lines: Path, mlflow_server: Mlflow
) -> None:
    options = ["--size", "tiny", "--from-scratch", "--epochs", "1", "--memory", "5"]
    options += ["--memory-per-run", "2", "--name", "words"]
    said = trainer(environment, "splits", "-d", f"lines:{lines}", "--k", "2", *options)
    assert said.status == 0, said.text
    assert "Traceback" not in said.text
    client = mlflow_server.client
    parent = client.get_run(said.after("MLflow run ").split(",")[0])
    runs = nested(client, parent.info.run_id)
    assert set(runs) == {"fold-1", "fold-2"}
    assert parent.info.status == "FINISHED"
    assert parent.data.params["k"] == "2"

    tests = [run.data.metrics["test_cer"] for run in runs.values()]
    assert parent.data.metrics["test_cer_mean"] == pytest.approx(sum(tests) / 2)
    assert parent.data.metrics["test_cer_std"] == pytest.approx(abs(tests[0] - tests[1]) / 2**0.5)
    files = {found.path for found in client.list_artifacts(parent.info.run_id)}
    assert files == {"compare.png", "runs.tsv"}

    tested = [rows(client, run, "test") for run in runs.values()]
    assert len(tested[0]) + len(tested[1]) == len(tested[0] | tested[1]) == 40

    # side by side, and within the memory that was given
    starts = [run.info.start_time for run in runs.values()]
    ends = [run.info.end_time for run in runs.values()]
    assert max(starts) < min(ends)
    assert said.memory < 5e9

    # of equal ones the first: after so few steps both may write nothing yet
    in_order = [runs["fold-1"], runs["fold-2"]]
    best = min(in_order, key=lambda run: run.data.metrics["val_cer"]).info.run_id
    versions = client.search_model_versions(f"name = '{MODEL}'")
    mine = {v.run_id: v for v in versions if v.tags.get("splits") == parent.info.run_id}
    assert set(mine) == {run.info.run_id for run in runs.values()}
    assert all(version.current_stage == "None" for version in mine.values())
    proposed = [version.run_id for version in mine.values() if "proposed" in version.tags]
    assert proposed == [best]
    assert said.after("To promote it:") == (
        f"python -m trainer promote --version {mine[best].version}"
    )

    again = trainer(environment, "splits", "-d", f"lines:{lines}", "--k", "2", *options)
    assert again.status == 1
    assert "words has finished" in again.text
    other = trainer(environment, "splits", "-d", f"lines:{lines}", "--k", "3", *options)
    assert other.status == 1
    assert "begun with other settings (k)" in other.text


def rows(client: MlflowClient, run: Run, split: str) -> set[str]:
    """The samples of a split, as a run has logged them."""
    file = client.download_artifacts(run.info.run_id, f"data/{split}.tsv")
    return set(Path(file).read_text(encoding="utf-8").splitlines())


@pytest.fixture
def cluster(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a command that joins a Ray which is there already."""
    with head(environment) as address:
        yield {**environment, "RAY_ADDRESS": address, "RAY_AUTH_MODE": "token"}


def test_a_trial_that_crashes_takes_no_other_with_it(
    cluster: dict[str, str], lines: Path, mlflow_server: Mlflow, tmp_path: Path
) -> None:
    file = tmp_path / "crash.yaml"
    # the loss of one is no number after a step or two
    file.write_text(SWEEP.format(lines=lines, trials=2, epochs=2, seed=SEED, rates=[0.003, 1e30]))
    said = trainer(cluster, "sweep", str(file))
    assert said.status == 1, said.text
    assert "1 of 2 runs failed" in said.text
    assert "The loss became" in said.text.splitlines()[-1]
    assert "Traceback" not in said.text
    client = mlflow_server.client
    parent = client.get_run(said.after("MLflow run ").split(",")[0])
    assert parent.info.status == "FAILED"
    runs = nested(client, parent.info.run_id)
    ends = {run.data.params["learning_rate"]: run for run in runs.values()}
    assert ends["1e+30"].info.status == "FAILED"
    assert "The loss became" in ends["1e+30"].data.tags["error"]
    good = ends["0.003"]
    assert good.info.status == "FINISHED"
    assert "test_cer" in good.data.metrics

    versions = client.search_model_versions(f"name = '{MODEL}'")
    mine = [v for v in versions if v.tags.get("sweep") == parent.info.run_id]
    assert [version.run_id for version in mine] == [good.info.run_id]
    assert mine[0].tags["proposed"] == "true"
    assert mine[0].current_stage == "None"
    assert parent.data.tags["proposed_version"] == mine[0].version
    assert said.after("To train so again:") == (
        f"python -m trainer train -d lines:{lines} --size tiny --learning-rate 0.003 --epochs 2 "
        "--from-scratch"
    )


SEED = 1
GOOD_FIRST = 1  # of what is drawn with it, the first trains and another does not


@pytest.mark.slow
def test_a_killed_sweep_goes_on(
    environment: dict[str, str], lines: Path, mlflow_server: Mlflow, tmp_path: Path
) -> None:
    file = tmp_path / "killed.yaml"
    file.write_text(SWEEP.format(lines=lines, trials=2, epochs=3, seed=1, rates=[0.003, 0.002]))
    one_by_one = ["sweep", str(file), "--cpus", "1", "--cpus-per-run", "1"]
    process = begun(environment, *one_by_one)
    said = until(process, lambda line: "trial-2: epoch 1" in line)
    assert "trial-1: all epochs" in said
    below = psutil.Process(process.pid).children(recursive=True)
    trials = [each for each in below if "trial" in each.cmdline()]
    assert trials
    process.send_signal(signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(trials, timeout=30)
    assert not alive
    first = checkpoint(tmp_path, "trial-1")

    again = trainer(environment, *one_by_one)
    assert again.status == 0, again.text
    assert "trial-1: epoch" not in again.text
    assert "trial-2: all epochs" in again.text
    client = mlflow_server.client
    parent = again.after("MLflow run ").split(",")[0]
    runs = nested(client, parent)
    assert set(runs) == {"trial-1", "trial-2"}
    for run in runs.values():
        assert run.info.status == "FINISHED"
        curve = client.get_metric_history(run.info.run_id, "val_loss")
        assert [point.step for point in curve] == [1, 2, 3]
    assert checkpoint(tmp_path, "trial-1").keys() >= first.keys()


@pytest.mark.slow
def test_ctrl_c_loses_nothing(
    environment: dict[str, str], lines: Path, mlflow_server: Mlflow, tmp_path: Path
) -> None:
    file = tmp_path / "stopped.yaml"
    file.write_text(SWEEP.format(lines=lines, trials=1, epochs=40, seed=1, rates=[0.003]))
    process = begun(environment, "sweep", str(file), "--cpus", "1")
    said = until(process, lambda line: "trial-1: epoch 2" in line)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 1, said + rest
    assert "Interrupted; the same command goes on" in rest
    assert "Traceback" not in rest
    assert not psutil.wait_procs(below, timeout=30)[1]

    def history() -> list[dict[str, float]]:
        state = tmp_path / "checkpoints" / "sweeps" / "stopped" / "trial-1" / "state.json"
        found: list[dict[str, float]] = json.loads(state.read_text())["history"]
        return found

    before = history()
    assert len(before) >= 2
    again = begun(environment, "sweep", str(file), "--cpus", "1")
    until(again, lambda line: f"trial-1: epoch {len(before) + 1}," in line)
    again.send_signal(signal.SIGKILL)
    again.communicate()
    assert history()[: len(before)] == before


@pytest.mark.slow
def test_a_poor_trial_is_stopped_early(
    environment: dict[str, str], lines: Path, mlflow_server: Mlflow, tmp_path: Path
) -> None:
    file = tmp_path / "early.yaml"
    # thirty times over: in a handful of steps nothing is learnt yet
    text = SWEEP.format(
        lines=f"{lines}@30", trials=3, epochs=4, seed=GOOD_FIRST, rates=[0.003, 1e-9]
    )
    stopping = "early_stopping: {grace_epochs: 1, reduction_factor: 2}\nmetric: val_loss"
    file.write_text(text.replace("early_stopping: null", stopping))
    said = trainer(environment, "sweep", str(file), "--cpus", "1", "--cpus-per-run", "1")
    assert said.status == 0, said.text
    client = mlflow_server.client
    runs = nested(client, said.after("MLflow run ").split(",")[0])
    rates = {name: run.data.params["learning_rate"] for name, run in runs.items()}
    assert rates["trial-1"] == "0.003"
    early = {name for name, run in runs.items() if run.data.tags.get("stopped_early") == "true"}
    assert early, said.text
    assert {rates[name] for name in early} == {"1e-09"}
    assert "stopped early" in said.text
    assert "test_cer" in runs["trial-1"].data.metrics


def until(process: "subprocess.Popen[str]", seen: Callable[[str], bool]) -> str:
    """What a process prints up to a line."""
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if seen(line):
            return said
    raise AssertionError(said)


def checkpoint(tmp_path: Path, name: str) -> dict[str, float]:
    folder = tmp_path / "checkpoints" / "sweeps" / "killed" / name
    return {file.name: file.stat().st_mtime for file in folder.iterdir()}


@pytest.mark.slow
def test_no_more_runs_go_side_by_side_than_the_memory_is_for(
    environment: dict[str, str], lines: Path, mlflow_server: Mlflow
) -> None:
    options = ["--size", "tiny", "--from-scratch", "--epochs", "1", "--name", "narrow"]
    options += ["--memory", "4", "--memory-per-run", "2"]
    said = trainer(environment, "splits", "-d", f"lines:{lines}", "--k", "2", *options)
    assert said.status == 0, said.text
    assert said.memory < 4e9
    runs = nested(mlflow_server.client, said.after("MLflow run ").split(",")[0])
    times = sorted((run.info.start_time, run.info.end_time) for run in runs.values())
    assert times[0][1] <= times[1][0]
