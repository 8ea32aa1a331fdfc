"""One run of several side by side: what it is to do, what it says, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from trainer.datasets.divided import Fold
from trainer.recipe import Recipe
from trainer.settings import Settings

Metric = Literal["val_cer", "val_wer", "val_loss"]
METRICS: tuple[Metric, ...] = get_args(Metric)
"""Figures of an epoch that runs can be compared by; all are better when lower."""


class TrialError(Exception):
    """A run has failed; the message says how."""


@dataclass(frozen=True)
class Share:
    """What a run may take: cores, bytes of memory, and graphics cards."""

    cpus: float
    memory: int
    gpus: float = 0.0


class Job(BaseModel):
    """What one run is to do. JSON, so that it travels to where it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Of the run, and of its checkpoint."""
    datasets: tuple[str, ...]
    recipe: Recipe
    parent: str
    """MLflow run that it is nested under."""
    folder: Path
    """Where it works: relative paths of datasets and settings are meant from here."""
    environment: dict[str, str]
    """Settings, as environment variables."""
    tags: dict[str, str] = {}
    fold: Fold | None = None
    from_scratch: bool = False
    task: Literal["all", "train", "conclude"] = "all"
    """Training, then test and registration; or the one, or the other alone."""

    @property
    def log(self) -> Path:
        """What its process says."""
        return Path(self.environment["CHECKPOINT_DIR"]) / f"{self.name}.log"


class Report(BaseModel):
    """What a run says: after each epoch, and at its end."""

    epoch: int = 0
    best: dict[str, float] = {}
    """Each `Metric` -> the lowest so far."""
    ending: str | None = None
    """Why the training ended; None before."""
    version: str | None = None
    """That the run was registered as."""
    test: dict[str, float] = {}
    """`test_cer` and `test_wer`, where it was tested."""
    error: str | None = None


@dataclass(frozen=True)
class Ended:
    """How a run has ended. Without an `ending` in its report it failed, or was stopped early."""

    job: Job
    parameters: Mapping[str, Any]
    report: Report
    error: str | None = None


def environment_of(settings: Settings, folder: Path) -> dict[str, str]:
    """These settings for a job, with its checkpoint below `folder`."""
    return {
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "MODEL_URI": settings.model_uri,
        "DATA_DIR": str(settings.data_dir),
        "CHECKPOINT_DIR": str(folder),
    }


def job_of(base: Job, number: int, parameters: Mapping[str, Any]) -> Job:
    """The job of one of several runs.

    Args:
        number: which, from 1; that of its fold, where the job has one.
        parameters: of the recipe, and `weights`: number of a dataset -> how often it is drawn.
    """
    given = base.model_dump()
    chosen = {name: value for name, value in parameters.items() if name != "weights"}
    weights = {int(index): weight for index, weight in parameters.get("weights", {}).items()}
    datasets = [
        f"{name}@{weights[index]:.3g}" if index in weights else name
        for index, name in enumerate(base.datasets)
    ]
    given |= {"name": f"{base.name}-{number}", "datasets": datasets}
    given["recipe"] |= chosen
    if base.fold:
        given["fold"] |= {"number": number}
    return Job.model_validate(given)
