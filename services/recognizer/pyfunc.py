"""The bundle as an MLflow model: the one file here that knows MLflow.

MLflow stores this file with a version and runs it to load the model, so that
`mlflow models serve`, `mlflow.pyfunc.load_model` and `mlflow.pyfunc.spark_udf` read
with the same code as the API.
"""

import base64
import binascii
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from recognizer import image
from recognizer.reading import joint_confidence
from recognizer.recognizer import Recognizer


class HandwritingModel(PythonModel):
    """Reads a column `image` of image files; parameters `decoder` and `level` as in the API."""

    def load_context(self, context: PythonModelContext) -> None:
        self.recognizer = Recognizer.load(Path(context.artifacts["bundle"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """One row an image: `text`, of a page with a line feed between lines, and `confidence`."""
        images = [image.decode(_file(value)) for value in model_input["image"]]
        pages = self.recognizer.read_any(images, **(params or {}))
        return pd.DataFrame(
            {
                "text": ["\n".join(line.text for line in lines) for lines in pages],
                "confidence": [joint_confidence(lines) for lines in pages],
            }
        )


def _file(value: bytes | str) -> bytes:
    """The bytes of an image file; MLflow passes base64 of its `inputs` form on as it came."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return value if isinstance(value, bytes) else value.encode()


set_model(HandwritingModel())
