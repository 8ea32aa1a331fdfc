"""One training of a classifier of characters, as a run of MLflow. It makes no version: what the
registry holds reads words and lines."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import mlflow
import numpy as np
from mlflow.entities import RunStatus

from trainer import report
from trainer.characters import picture
from trainer.characters.recipe import CharacterRecipe
from trainer.characters.scores import Judged
from trainer.characters.training import CharacterEpoch, CharacterTraining
from trainer.datasets.base import SPLITS
from trainer.datasets.emnist_files import SIDE
from trainer.datasets.emnist_splits import CharacterSplits
from trainer.export import export_onnx
from trainer.tracking import tracked
from trainer.training import Ending

log = logging.getLogger(__name__)

TASK = "characters"


@dataclass(frozen=True)
class CharacterOutcome:
    """How a run ended, and what it made of the test split; None where it was interrupted."""

    ending: Ending
    run_id: str
    test: Judged | None = None


def run(
    recipe: CharacterRecipe,
    splits: CharacterSplits,
    tracking_uri: str,
    name: str,
    *,
    stopped: Callable[[], bool] = lambda: False,
    on_batch: Callable[[int, float, float], None] = lambda epoch, done, loss: None,
) -> CharacterOutcome:
    """Train, test, and give MLflow all of it.

    Args:
        name: of the run.
        stopped, on_batch: see `CharacterTraining`.
    """
    training = CharacterTraining(recipe, splits, stopped=stopped, on_batch=on_batch)
    with tracked(tracking_uri, name) as tracking:
        _log_beginning(recipe, splits, training)
        sizes = {split: len(splits.of[split]) for split in SPLITS}
        log.info("training on %d characters of %d classes", sizes["train"], len(splits.classes))
        ending = training.run(_log_epochs)
        log.info("training ended: %s", ending)
        if ending == "interrupted":
            tracking.status = RunStatus.to_string(RunStatus.KILLED)
            return CharacterOutcome(ending, tracking.run_id)
        judged = training.judge("test")
        _log_test(judged, splits)
        _log_model(training.model, splits.classes)
        log.info("test: accuracy %.2f %%, on %s", 100 * judged.accuracy, splits.origin)
        return CharacterOutcome(ending, tracking.run_id, judged)


def _log_beginning(
    recipe: CharacterRecipe, splits: CharacterSplits, training: CharacterTraining
) -> None:
    mlflow.set_tag("task", TASK)
    mlflow.log_params(
        {
            **recipe.parameters(),
            "task": TASK,
            "datasets": "emnist",
            "dataset_digest": splits.digest(),
            "tested_on": splits.origin,
            "classes": len(splits.classes),
            "weights": training.model.count_params(),
            **{f"{split}_samples": len(splits.of[split]) for split in SPLITS},
        }
    )
    for split in SPLITS:
        mlflow.log_text(splits.listing(split), f"data/{split}.tsv")


def _log_epochs(history: list[CharacterEpoch]) -> None:
    log.info("%s", history[-1].summary())
    try:
        _tell(history)
    except Exception as error:  # MLflow raises its own, those of requests and OSErrors
        # a training must not hang on a server; the next epoch draws all curves
        log.warning("MLflow did not take epoch %d: %s", history[-1].number, error)


def _tell(history: list[CharacterEpoch]) -> None:
    newest = history[-1]
    mlflow.log_metrics(
        {
            "train_loss": newest.train_loss,
            "val_loss": newest.val_loss,
            "val_accuracy": newest.val_accuracy,
            "characters_per_second": newest.characters_per_second,
            "learning_rate": newest.learning_rate,
        },
        step=newest.number,
    )
    with TemporaryDirectory() as folder:
        report.plot_losses(history, Path(folder) / "loss.png")
        picture.plot_accuracy(history, Path(folder) / "accuracy.png")
        mlflow.log_artifacts(folder, "plots")


def _log_test(judged: Judged, splits: CharacterSplits) -> None:
    mlflow.log_metrics({"test_accuracy": judged.accuracy, "test_accuracy_folded": judged.folded})
    classes = np.array(list(judged.classes))
    columns = (
        splits.names("test"),
        classes[judged.truths],
        classes[judged.readings],
        judged.confidences,
    )
    rows = [
        f"{name}\t{true}\t{read}\t{sure:.3f}"
        for name, true, read, sure in zip(*columns, strict=True)
    ]
    mlflow.log_text("\n".join(["image\ttrue\tread\tconfidence", *rows, ""]), "test/readings.tsv")
    mlflow.log_text(picture.table_of_confusions(judged.confusions()), "test/confusions.tsv")
    with TemporaryDirectory() as folder:
        picture.picture_confusions(judged, Path(folder) / "confusions.png")
        mlflow.log_artifacts(folder, "test")


def _log_model(model: keras.Model, classes: str) -> None:
    """The network in Keras's form and, where its backend can, as ONNX."""
    with TemporaryDirectory() as folder:
        model.save(Path(folder) / "characters.keras")
        if keras.backend.backend() == "tensorflow":
            export_onnx(model, (SIDE, SIDE, 1), Path(folder) / "characters.onnx")
        described = {
            "input": "ink (images, 28, 28, 1), 0 none to 1 full, upright",
            "output": "probabilities (images, classes)",
            "classes": list(classes),
        }
        text = json.dumps(described, ensure_ascii=False, indent=1)
        (Path(folder) / "characters.json").write_text(text, encoding="utf-8")
        mlflow.log_artifacts(folder, "model")
