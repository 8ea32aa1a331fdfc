"""The bundle as an MLflow model: the one file here that knows MLflow.

MLflow stores this file with a version and runs it to load the model, so that
`mlflow models serve`, `mlflow.pyfunc.load_model` and `mlflow.pyfunc.spark_udf` read
with the same code as the API.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from recognizer import image
from recognizer.errors import ImageError, UnreadableImageError
from recognizer.image import Gray
from recognizer.reading import joint_confidence
from recognizer.recognizer import Recognizer

Row = tuple[str, float, str]

MOST_IMAGES, MOST_PIXELS = 128, 64_000_000
"""Unpacked at a time: Spark passes thousands of images at once."""


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
        values = model_input["image"]
        rows: list[Row] = []
        for opened in _opened(values, keep):
            rows += self._read(opened, options)
        columns = ["text", "confidence", "error"]
        return pd.DataFrame(rows, columns=columns)[columns if keep else columns[:2]]

    def _read(self, opened: list[Gray | str], options: dict[str, Any]) -> list[Row]:
        images = [each for each in opened if not isinstance(each, str)]
        pages = iter(self.recognizer.read_any(images, **options))
        rows: list[Row] = []
        for each in opened:
            if isinstance(each, str):
                rows.append(("", 0.0, each))
            else:
                lines = next(pages)
                text = "\n".join(line.text for line in lines)
                rows.append((text, joint_confidence(lines), ""))
        return rows


def _opened(values: Iterable[Any], keep: bool) -> Iterator[list[Gray | str]]:
    """Images some at a time; of one that cannot be read, where errors are kept, what is wrong."""
    opened: list[Gray | str] = []
    pixels = 0
    for value in values:
        try:
            gray = image.decode(_file(value))
            opened.append(gray)
            pixels += gray.size
        except ImageError as error:
            if not keep:
                raise
            opened.append(str(error))
        if len(opened) == MOST_IMAGES or pixels > MOST_PIXELS:
            yield opened
            opened, pixels = [], 0
    if opened:
        yield opened


def _file(value: Any) -> bytes:
    """The bytes of an image file; MLflow passes base64 of its `inputs` form on as it came.

    Raises:
        UnreadableImageError: it is nothing that could hold a file, as where a row has none.
    """
    if isinstance(value, bytearray | memoryview):
        value = bytes(value)
    if not isinstance(value, bytes | str):
        raise UnreadableImageError(f"No image file, but {type(value).__name__}.")
    packed = value.encode() if isinstance(value, str) else value
    try:
        return base64.b64decode(b"".join(packed.split()), validate=True)
    except binascii.Error:
        return packed


set_model(HandwritingModel())
