"""`trainer splits` against the same runs in static schedules, on the same cores.

`python -m tools.bench_splits` trains k folds of a made set alternately by the command, all at once
without Ray, and one after another with all cores, and prints the times and their ratios. MLflow
must answer at MLFLOW_TRACKING_URI.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from mlflow import MlflowClient
from PIL import Image

from trainer.cli.common import choice
from trainer.datasets.divided import Fold
from trainer.datasets.synthetic import SyntheticDataset
from trainer.recipe import Recipe
from trainer.running import Running
from trainer.settings import Settings, load
from trainer.sizes import SIZES
from trainer.tracking import EXPERIMENT
from trainer.trial import Job, Share, environment_of, job_of

MEMORY = 2 * 10**9
DOCUMENTS = 30


def main(
    k: Annotated[int, typer.Option("--k", min=2)] = 3,
    samples: Annotated[int, typer.Option(help="Lines and words of the made set.")] = 600,
    epochs: Annotated[int, typer.Option()] = 3,
    size: Annotated[str, typer.Option()] = "tiny",
    rounds: Annotated[int, typer.Option(help="How often each is measured.")] = 2,
    in_turn: Annotated[bool, typer.Option(help="Also one after another.")] = True,
) -> None:
    """Measure `splits` against static schedules of the same runs."""
    known = load()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        lines = _lines(Path(folder) / "lines", samples)
        recipe = Recipe(size=choice("--size", size, SIZES), epochs=epochs)
        job = _job(lines, recipe, known, Path(folder), k)
        ways: dict[str, Callable[[], None]] = {
            "splits": lambda: _splits(lines, Path(folder), k, epochs, size),
            "at once": lambda: _static(job, k, k, cores / k),
        }
        if in_turn:
            ways["in turn"] = lambda: _static(job, k, 1, cores)
        best = {name: float("inf") for name in ways}
        for number in range(1, rounds + 1):
            for name, run in ways.items():
                began = time.monotonic()
                run()
                took = time.monotonic() - began
                best[name] = min(best[name], took)
                print(f"round {number}: {name} {took:.0f} s", flush=True)
        static = min(took for name, took in best.items() if name != "splits")
    print(f"splits {best['splits']:.0f} s, the best static schedule {static:.0f} s: ", end="")
    print(f"{best['splits'] / static:.2f} times its time ({k} runs on {cores} cores)")


def _lines(folder: Path, count: int) -> Path:
    folder.mkdir()
    rows = []
    for number, sample in enumerate(SyntheticDataset(train=count, val=0, test=0).samples("train")):
        Image.fromarray(sample.image()).save(folder / f"{number}.png")
        rows.append(f"{number}.png\ttrain\t{sample.text}\t{number % DOCUMENTS}")
    (folder / "lines.tsv").write_text("\n".join(rows), encoding="utf-8")
    return folder


def _splits(lines: Path, folder: Path, k: int, epochs: int, size: str) -> None:
    command = [sys.executable, "-m", "trainer", "splits", "-d", f"lines:{lines}", "--k", str(k)]
    command += ["--epochs", str(epochs), "--size", size, "--from-scratch", "--restart"]
    command += ["--memory-per-run", str(MEMORY / 1e9)]
    environment = {**os.environ, "CHECKPOINT_DIR": str(folder / "splits")}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def _job(lines: Path, recipe: Recipe, known: Settings, folder: Path, k: int) -> Job:
    """As `splits` makes it."""
    client = MlflowClient(known.mlflow_tracking_uri)
    found = client.get_experiment_by_name(EXPERIMENT)
    where = found.experiment_id if found else client.create_experiment(EXPERIMENT)
    return Job(
        name="fold",
        datasets=(f"lines:{lines}",),
        recipe=recipe,
        parent=client.create_run(where, run_name="static").info.run_id,
        folder=Path.cwd(),
        environment=environment_of(known, folder / "static"),
        fold=Fold(k, 1),
        from_scratch=True,
    )


def _static(job: Job, k: int, at_once: int, cores: float) -> None:
    """All runs in their processes, so many at a time, and no Ray."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(at_once) as threads:
        environment = {**job.environment, "CHECKPOINT_DIR": folder}
        anew = job.model_copy(update={"environment": environment})
        jobs = [job_of(anew, number, {}) for number in range(1, k + 1)]
        # all runs are below this one process: their memory is counted together
        share = Share(cores, k * MEMORY)
        list(threads.map(lambda each: Running(each, share).last_report(), jobs))


if __name__ == "__main__":
    typer.run(main)
