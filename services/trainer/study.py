"""Several runs that belong together: their parent in MLflow, what they came to, which is best."""

import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import mlflow
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Run as MlflowRun
from mlflow.entities import RunStatus
from mlflow.environment_variables import MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT

from trainer import compare
from trainer.alone import Timeout, locked
from trainer.registry import Registry
from trainer.settings import Settings, is_plain
from trainer.tracking import EXPERIMENT
from trainer.trial import Ended, Metric

# its addresses would stand between the lines of the command, which names the parent at the end
os.environ.setdefault(MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.name, "true")

FILE = "study.json"
RAY = "ray"
PICTURE = "compare.png"
TABLE = "runs.tsv"
MOST_DRAWN = 10
PARENT = "mlflow.parentRunId"
PROPOSED = "proposed"


class StudyError(Exception):
    """The runs cannot be begun or gone on with; the message says why."""


@dataclass(frozen=True)
class Study:
    """Runs that were begun together, in a folder of their own.

    `run_id` is their parent in MLflow.
    """

    folder: Path
    run_id: str
    client: MlflowClient
    lock: FileLock
    """Of its folder, held until it is left."""

    @classmethod
    def opened(
        cls, settings: Settings, kind: str, name: str, asked: Mapping[str, Any], *, restart: bool
    ) -> "Study":
        """Begin, or go on where the same was begun and is not finished.

        Args:
            kind: `splits` or `sweeps`.
            asked: what the runs are to be, JSON: only the same is gone on with.
            restart: begin anew whatever there is.

        Raises:
            StudyError: the name is none of a folder, another of this name was begun, or this one
                has ended well or is at work.
        """
        if not is_plain(name):
            raise StudyError(f"--name {name!r}: it must be a plain name, without folders.")
        folder = (settings.checkpoint_dir / kind / name).absolute()
        try:
            lock = locked(folder)
        except Timeout:
            raise StudyError(
                f"{name} is at work. Wait for its end, or give this one another --name."
            ) from None
        if restart:
            shutil.rmtree(folder, ignore_errors=True)
        client = MlflowClient(settings.mlflow_tracking_uri)
        if not (folder / FILE).is_file():
            return cls._begun(folder, client, name, asked, lock)
        kept, now = json.loads((folder / FILE).read_text("utf-8")), json.loads(json.dumps(asked))
        if kept["asked"] != now:
            names = dict.fromkeys([*now, *kept["asked"]])
            different = [key for key in names if kept["asked"].get(key) != now.get(key)]
            raise StudyError(
                f"{name} was begun with other settings ({', '.join(different)}). Ask for the same "
                "to go on with it, for another --name, or begin anew with --restart."
            )
        study = cls(folder, kept["run"], client, lock)
        if client.get_run(study.run_id).info.status == RunStatus.to_string(RunStatus.FINISHED):
            raise StudyError(
                f"{name} has finished (run {study.run_id}). Give another --name, or begin anew "
                "with --restart."
            )
        client.update_run(study.run_id, RunStatus.to_string(RunStatus.RUNNING))
        return study

    @classmethod
    def _begun(
        cls,
        folder: Path,
        client: MlflowClient,
        name: str,
        asked: Mapping[str, Any],
        lock: FileLock,
    ) -> "Study":
        experiment = client.get_experiment_by_name(EXPERIMENT)
        where = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
        run_id = client.create_run(where, run_name=name).info.run_id
        for key, value in asked.items():
            client.log_param(run_id, key, value)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps({"run": run_id, "asked": asked}), "utf-8")
        return cls(folder, run_id, client, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say of all that has not ended that it was interrupted, where something went wrong."""
        try:
            if error is not None:
                self._killed()
        finally:
            self.lock.release()

    def _killed(self) -> None:
        killed = RunStatus.to_string(RunStatus.KILLED)
        for run in self.runs().values():
            if run.info.status == RunStatus.to_string(RunStatus.RUNNING):
                self.client.set_terminated(run.info.run_id, killed)
        self.client.set_terminated(self.run_id, killed)

    @property
    def runs_folder(self) -> Path:
        """Where Ray keeps what it knows of the runs."""
        return self.folder / RAY

    @property
    def picture(self) -> Path:
        return self.folder / PICTURE

    @property
    def proposed(self) -> str | None:
        """Name of the run whose version has been proposed already."""
        return self.client.get_run(self.run_id).data.tags.get(f"{PROPOSED}_run")

    def runs(self) -> dict[str, MlflowRun]:
        """The newest run of each name."""
        experiment = self.client.get_run(self.run_id).info.experiment_id
        found = self.client.search_runs(
            [experiment],
            f"tags.`{PARENT}` = '{self.run_id}'",
            order_by=["attributes.start_time ASC"],
            max_results=5000,
        )
        return {str(run.info.run_name): run for run in found}

    def settle(self, ended: Sequence[Ended]) -> None:
        """Tell MLflow of the runs that could not do so themselves: failed, or stopped early."""
        runs = self.runs()
        for each in ended:
            run = runs.get(each.job.name)
            if each.error:
                run_id = run.info.run_id if run else self._failed(each)
                self.client.set_tag(run_id, "error", each.error[:5000])
                self.client.set_terminated(run_id, RunStatus.to_string(RunStatus.FAILED))
            elif run and each.report.ending is None:
                self.client.set_tag(run.info.run_id, "stopped_early", "true")
                self.client.set_terminated(run.info.run_id)

    def _failed(self, each: Ended) -> str:
        """A run for a job that failed before it had one."""
        experiment = self.client.get_run(self.run_id).info.experiment_id
        tags = {PARENT: self.run_id, **each.job.tags}
        run_id = self.client.create_run(experiment, tags=tags, run_name=each.job.name).info.run_id
        for key, value in each.job.recipe.parameters().items():
            self.client.log_param(run_id, key, value)
        return str(run_id)

    def conclude(self, ended: Sequence[Ended], figures: Mapping[str, float]) -> None:
        """Log what came of it at the parent: figures, a table and a picture of the best runs."""
        mlflow.set_tracking_uri(self.client.tracking_uri)
        for name, value in figures.items():
            self.client.log_metric(self.run_id, name, value)
        runs = self.runs()
        best = [runs[each.job.name].info.run_id for each in ended if not each.error]
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / TABLE
            table.write_text(_table(ended), encoding="utf-8")
            self.client.log_artifact(self.run_id, str(table))
            if best:
                drawn = [compare.find(self.client, run) for run in best[:MOST_DRAWN]]
                compare.picture(drawn, self.picture)
                self.client.log_artifact(self.run_id, str(self.picture))
        failed = any(each.error for each in ended)
        status = RunStatus.FAILED if failed else RunStatus.FINISHED
        self.client.set_terminated(self.run_id, RunStatus.to_string(status))

    def propose(self, registry: Registry, version: str, run: str) -> None:
        """Mark a version as the one to promote, here and in the registry."""
        name, tags = registry.address.name, self.client.get_run(self.run_id).data.tags
        if (before := tags.get(f"{PROPOSED}_version")) and before != version:
            registry.client.delete_model_version_tag(name, before, PROPOSED)
        registry.client.set_model_version_tag(name, version, PROPOSED, "true")
        self.client.set_tag(self.run_id, f"{PROPOSED}_version", version)
        self.client.set_tag(self.run_id, f"{PROPOSED}_run", run)


def ranked(ended: Sequence[Ended], metric: Metric) -> list[Ended]:
    """The best first, of equal ones by name; those that failed come last."""

    def place(each: Ended) -> tuple[bool, float, str]:
        value = each.report.best.get(metric, float("inf"))
        return each.error is not None, value, each.job.name

    return sorted(ended, key=place)


def spread(ended: Sequence[Ended]) -> dict[str, float]:
    """Mean and sample standard deviation over the runs that have a figure; of one alone, 0."""
    found: dict[str, float] = {}
    for name in ("test_cer", "test_wer", "val_cer", "val_wer"):
        known = [
            figures[name]
            for each in ended
            if name in (figures := {**each.report.best, **each.report.test})
        ]
        if known:
            found[f"{name}_mean"] = statistics.fmean(known)
            found[f"{name}_std"] = statistics.stdev(known) if len(known) > 1 else 0.0
    return found


def rows_of(ended: Sequence[Ended]) -> list[dict[str, str]]:
    """What a table shows of each run: its parameters, its figures and its end."""
    rows = []
    for each in ended:
        figures = {
            "val CER": each.report.best.get("val_cer"),
            "test CER": each.report.test.get("test_cer"),
            "test WER": each.report.test.get("test_wer"),
        }
        rows.append(
            {
                "run": each.job.name,
                **_shown(each),
                "epochs": str(each.report.epoch),
                **{name: f"{value:.2%}" for name, value in figures.items() if value is not None},
                "version": each.report.version or "",
                "ended": "failed" if each.error else each.report.ending or "stopped early",
            }
        )
    return rows


def _shown(each: Ended) -> dict[str, str]:
    """What was chosen for a run."""
    chosen = dict(each.parameters)
    weights = {"datasets": " + ".join(each.job.datasets)} if chosen.pop("weights", None) else {}
    return {**{name: _written(value) for name, value in chosen.items()}, **weights}


def _written(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(ended: Sequence[Ended]) -> str:
    rows = rows_of(ended)
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["\t".join(names), *("\t".join(row.get(name, "") for name in names) for row in rows)]
    return "\n".join([*lines, ""])
