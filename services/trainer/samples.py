"""Test images that a run keeps in MLflow, so that a served version can be asked about them."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from mlflow.exceptions import MlflowException
from PIL import Image

from trainer.evaluation import Judged

LIST = "samples.tsv"
FOLDER = "test"
"""Of the run's artifacts."""
HEAD = "image\tid\ttruth\treading"


class SampleError(Exception):
    """A run has no such sample; the message says which it has."""


@dataclass(frozen=True)
class Kept:
    """One test image: its id in its dataset, what it says, and a PNG."""

    id: str
    truth: str
    image: bytes


def write(judged: Sequence[Judged], folder: Path) -> None:
    """Write the images, and a list of them with what they say and how they were read."""
    rows = [HEAD]
    for number, each in enumerate(judged, start=1):
        name = f"samples/{number:02}.png"
        (folder / name).parent.mkdir(exist_ok=True)
        stream = io.BytesIO()
        Image.fromarray(each.sample.image()).save(stream, "PNG")
        (folder / name).write_bytes(stream.getvalue())
        rows.append(f"{name}\t{each.sample.id}\t{each.sample.text}\t{each.text}")
    (folder / LIST).write_text("\n".join([*rows, ""]), encoding="utf-8")


def fetch(tracking_uri: str, run_id: str, number: int) -> Kept:
    """The sample of a run, counted from 1.

    Raises:
        SampleError: it keeps none, or fewer.
    """
    with TemporaryDirectory() as folder:
        try:
            rows = _artifact(tracking_uri, run_id, LIST, folder).decode().splitlines()[1:]
        except (MlflowException, OSError) as error:
            raise SampleError(
                f"The run {run_id} keeps no test images ({FOLDER}/{LIST}): it is of an older "
                "trainer, had nothing to test on, or did not end."
            ) from error
        if not 1 <= number <= len(rows):
            raise SampleError(f"The run {run_id} keeps {len(rows)} images, no number {number}.")
        name, id_, truth = rows[number - 1].split("\t")[:3]
        return Kept(id_, truth, _artifact(tracking_uri, run_id, name, folder))


def _artifact(tracking_uri: str, run_id: str, name: str, folder: str) -> bytes:
    path = mlflow.artifacts.download_artifacts(
        run_id=run_id,
        artifact_path=f"{FOLDER}/{name}",
        dst_path=folder,
        tracking_uri=tracking_uri,
    )
    return Path(path).read_bytes()
