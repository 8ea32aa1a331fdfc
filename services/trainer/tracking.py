"""One MLflow run of a training: parameters, figures by epoch, pictures, lists, log."""

import hashlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import mlflow
from mlflow.entities import RunStatus

from trainer import report, samples
from trainer.corpus import Corpus
from trainer.datasets.base import SPLITS
from trainer.evaluation import Evaluation, Judged
from trainer.recipe import Recipe
from trainer.state import Epoch

EXPERIMENT = "handwriting"
LOG = "train.log"


class Tracking:
    """The active run. Make one with `tracked`."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.status = RunStatus.to_string(RunStatus.FINISHED)

    def start(self, corpus: Corpus, recipe: Recipe, start: str) -> None:
        """What is known before the first epoch."""
        known = {
            **recipe.parameters(),
            "datasets": corpus.name,
            "dataset_digest": corpus.digest(),
            "start": start,
            **{f"{split}_samples": len(corpus.samples(split)) for split in SPLITS},
        }
        # `mlflow run` has logged its own, as they were written: 10 where this would be 10.0
        run = mlflow.active_run()
        given = run.data.params if run else {}
        mlflow.log_params({key: value for key, value in known.items() if key not in given})
        for split in SPLITS:
            mlflow.log_text(corpus.split_list(split), f"data/{split}.tsv")
        labels = {character: label for label, character in _classes(corpus)}
        mlflow.log_text(json.dumps(labels, ensure_ascii=False, indent=1), "data/vocabulary.json")
        mlflow.log_dict(corpus.skipped(), "data/skipped.json")

    def epoch(self, history: list[Epoch]) -> None:
        """Figures of the newest epoch, and the curves up to it."""
        newest = history[-1]
        mlflow.log_metrics(
            {
                "train_loss": newest.train_loss,
                "val_loss": newest.val_loss,
                "val_cer": newest.val_cer,
                "val_wer": newest.val_wer,
                "val_edit_distance": newest.val_edit_distance,
                "lines_per_second": newest.lines_per_second,
                "learning_rate": newest.learning_rate,
            },
            step=newest.number,
        )
        with _folder() as folder:
            report.plot_losses(history, folder / "loss.png")
            report.plot_errors(history, folder / "cer.png")
            mlflow.log_artifacts(str(folder), "plots")

    def test(self, name: str, evaluation: Evaluation) -> None:
        """Scores of one dataset's test split, with its readings and errors."""
        scores = evaluation.scores
        prefix = "test" if name == "all" else f"test.{_key(name)}"
        mlflow.log_metrics(
            {
                f"{prefix}_cer": scores.cer,
                f"{prefix}_wer": scores.wer,
                f"{prefix}_edit_distance": scores.edit_distance,
                f"{prefix}_exact": scores.exact,
            }
        )
        if name == "all":
            confusions = evaluation.confusions()
            with _folder() as folder:
                shown = _spread(evaluation)
                report.picture_readings(shown, folder / "readings.png")
                samples.write(shown[: report.SHOWN], folder)
                report.picture_readings(evaluation.worst(report.SHOWN), folder / "worst.png")
                report.plot_confusions(confusions, folder / "confusions.png")
                worst, table = folder / "worst.tsv", folder / "confusions.tsv"
                worst.write_text(report.table_of_worst(evaluation.worst(100)), encoding="utf-8")
                table.write_text(report.table_of_confusions(confusions), encoding="utf-8")
                mlflow.log_artifacts(str(folder), samples.FOLDER)


@contextmanager
def tracked(
    uri: str,
    name: str | None,
    *,
    resumed: str | None = None,
    parent: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Iterator[Tracking]:
    """An MLflow run with system metrics and, at its end, its log as an artifact.

    Args:
        resumed: id of the run to go on with, instead of a new one.
        parent: id of the run to nest it under.
        tags: of the run.
    """
    mlflow.set_tracking_uri(uri)
    # inside `mlflow run` the run is there already, and so is its experiment
    run_id = os.environ.get("MLFLOW_RUN_ID") or resumed
    if run_id is None:
        mlflow.set_experiment(EXPERIMENT)
    mlflow.start_run(
        run_id=run_id,
        run_name=name,
        parent_run_id=parent,
        tags=dict(tags or {}),
        log_system_metrics=True,
    )
    active = mlflow.active_run()
    assert active is not None
    tracking = Tracking(active.info.run_id)
    with _folder() as folder:
        handler = logging.FileHandler(folder / LOG, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger("trainer").addHandler(handler)
        try:
            yield tracking
        except BaseException:
            tracking.status = RunStatus.to_string(RunStatus.FAILED)
            logging.getLogger("trainer").exception("The run failed.")
            raise
        finally:
            logging.getLogger("trainer").removeHandler(handler)
            handler.close()
            _log_file(folder / LOG)
            mlflow.end_run(tracking.status)


def _log_file(file: Path) -> None:
    """Add to the log that a resumed run already has."""
    try:
        before = mlflow.artifacts.load_text(mlflow.get_artifact_uri(LOG))
    except Exception:  # MLflow's stores each raise their own where there is none
        before = ""
    mlflow.log_text(before + file.read_text(encoding="utf-8"), LOG)


def _key(name: str) -> str:
    """A dataset in the name of a figure, where MLflow takes letters, digits and few signs."""
    key = re.sub(r"[^\w.\- ]", "-", name)
    if key == name.replace("/", "-"):
        return key
    return f"{key}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"  # another may have the same


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _spread(evaluation: Evaluation) -> list[Judged]:
    """Samples from the whole of a set, not its first page alone."""
    step = max(1, len(evaluation.judged) // report.SHOWN)
    return list(evaluation.judged[::step])


def _classes(corpus: Corpus) -> Iterator[tuple[int, str]]:
    for character in corpus.alphabet.characters:
        yield corpus.alphabet.encode(character)[0], character
