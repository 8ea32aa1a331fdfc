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
from recognizer.errors import ImageError
from recognizer.reading import joint_confidence
from recognizer.recognizer import Recognizer

Row = tuple[str, float, str]

CHUNK = 128
"""Images that are unpacked at a time: Spark passes thousands at once."""


class HandwritingModel(PythonModel):
    """Reads a column `image` of image files; parameters `decoder` and `level` as in the API.

    `auto` is the decoder that knows most of texts.

    The parameter `errors` says what becomes of an image that cannot be read: `raise` fails the
    whole call, `keep` gives it no text and says why in a further column, `error`, which is empty
    for the others (on Spark, MLflow makes "nan" of what is missing). The model configuration
    `threads` is how many threads read; 0 lets onnxruntime choose.
    """

    def load_context(self, context: PythonModelContext) -> None:
        threads = (context.model_config or {}).get("threads", 0)
        self.recognizer = Recognizer.load(Path(context.artifacts["bundle"]), threads=threads)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """One row an image: `text` and `confidence`, and `error` where errors are kept.

        Lines of a page are separated by line feeds.
        """
        options = dict(params or {})
        keep = options.pop("errors", "raise") == "keep"
        if options.get("decoder") == "auto":
            options["decoder"] = self.recognizer.best_decoder
        files = [_file(value) for value in model_input["image"]]
        rows: list[Row] = []
        for first in range(0, len(files), CHUNK):
            rows += self._read(files[first : first + CHUNK], keep, options)
        columns = ["text", "confidence", "error"]
        return pd.DataFrame(rows, columns=columns)[columns if keep else columns[:2]]

    def _read(self, files: list[bytes], keep: bool, options: dict[str, Any]) -> list[Row]:
        errors: dict[int, str] = {}
        images = []
        for index, data in enumerate(files):
            try:
                images.append(image.decode(data))
            except ImageError as error:
                if not keep:
                    raise
                errors[index] = str(error)
        pages = iter(self.recognizer.read_any(images, **options))
        rows: list[Row] = []
        for index in range(len(files)):
            if index in errors:
                rows.append(("", 0.0, errors[index]))
            else:
                lines = next(pages)
                text = "\n".join(line.text for line in lines)
                rows.append((text, joint_confidence(lines), ""))
        return rows


def _file(value: bytes | str) -> bytes:
    """The bytes of an image file; MLflow passes base64 of its `inputs` form on as it came."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return value if isinstance(value, bytes) else value.encode()


set_model(HandwritingModel())
