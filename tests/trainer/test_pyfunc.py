"""The bundle as an MLflow model: what its column of images may hold."""

import base64
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bundles import make_bundle
from recognizer.errors import UnreadableImageError
from recognizer.recognizer import Recognizer

pytest.importorskip("mlflow")


@pytest.fixture
def model(tmp_path: Path) -> Any:
    from recognizer.pyfunc import HandwritingModel

    model = HandwritingModel()
    model.recognizer = Recognizer.load(make_bundle(tmp_path / "c", "c").path)
    return model


@pytest.fixture
def file(model: Any) -> bytes:
    content: bytes = (model.recognizer.bundle.path / "golden" / "bars.png").read_bytes()
    return content


def test_every_form_of_a_file_is_read(model: Any, file: bytes) -> None:
    packed = base64.encodebytes(file)  # with line feeds, as the command of that name writes it
    forms = [file, bytearray(file), memoryview(file), packed, packed.decode()]
    read = model.predict(None, pd.DataFrame({"image": forms}))
    assert read["text"].tolist() == ["ccc cc"] * len(forms)


@pytest.mark.parametrize("nothing", [None, float("nan"), 7])
def test_a_row_without_an_image_is_an_error_of_that_row(
    model: Any, file: bytes, nothing: Any
) -> None:
    rows = pd.DataFrame({"image": pd.Series([file, nothing, b"no image", file], dtype=object)})
    read = model.predict(None, rows, {"errors": "keep"})
    assert read["text"].tolist() == ["ccc cc", "", "", "ccc cc"]
    assert read["error"].tolist()[1].startswith("No image file")
    assert [bool(each) for each in read["error"]] == [False, True, True, False]
    with pytest.raises(UnreadableImageError, match="No image file"):
        model.predict(None, rows)


@pytest.mark.parametrize(
    ("limit", "most", "expected"),
    [("MOST_IMAGES", 2, [2, 2, 1]), ("MOST_PIXELS", 1, [1] * 5)],
)
def test_many_are_read_some_at_a_time(
    model: Any,
    file: bytes,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    most: int,
    expected: list[int],
) -> None:
    monkeypatch.setattr(f"recognizer.pyfunc.{limit}", most)
    sizes = []
    read_any = model.recognizer.read_any

    def counted(images: list[Any], **options: Any) -> Any:
        sizes.append(len(images))
        return read_any(images, **options)

    monkeypatch.setattr(model.recognizer, "read_any", counted)
    rows = pd.DataFrame({"image": [file] * 5})
    assert model.predict(None, rows)["text"].tolist() == ["ccc cc"] * 5
    assert sizes == expected
    assert model.predict(None, rows[:0]).empty
