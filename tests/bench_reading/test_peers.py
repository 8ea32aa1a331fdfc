"""Peers read where they are installed, and say why where they are not."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from recognizer.errors import UnreadableImageError
from recognizer.image import Gray
from tools.bench_reading import rapidocr
from tools.bench_reading.peers import Peer, peers, png
from tools.bench_reading.problem import Unavailable
from tools.bench_reading.rapidocr import RapidOcr
from tools.bench_reading.sets import TestSet
from tools.bench_reading.tesseract import Tesseract


@dataclass(frozen=True)
class Printed:
    """A sample in plain print, which any reader of print can read."""

    text: str
    id: str = "one"
    document: str = "letter"
    broken: bool = False

    def image(self) -> Gray:
        if self.broken:
            raise UnreadableImageError("cut off")
        image = Image.new("L", (40 + 24 * len(self.text), 64), 255)
        ImageDraw.Draw(image).text((20, 10), self.text, 0, ImageFont.load_default(36))
        return np.asarray(image)


def printed(*texts: str, language: str = "eng", broken: bool = False) -> TestSet:
    samples = tuple(Printed(text, id=text) for text in texts)
    if broken:
        samples = (samples[0], Printed("lost", broken=True), *samples[1:])
    return TestSet("print", "line", language, samples)


@pytest.fixture
def tesseract() -> Tesseract:
    try:
        return Tesseract()
    except Unavailable as error:
        pytest.skip(str(error))


def test_tesseract_reads_print_and_is_judged_on_what_could_be_opened(tesseract: Tesseract) -> None:
    record = Peer(tesseract).read(printed("The house is large", "A second line", broken=True))
    assert [line.truth for line in record.lines] == ["The house is large", "A second line"]
    assert record.scores.cer < 0.1
    assert record.unreadable == 1
    assert record.lines_per_second > 0
    assert tesseract.what.startswith("tesseract ")


def test_tesseract_without_a_language_says_what_to_install(tesseract: Tesseract) -> None:
    with pytest.raises(Unavailable, match=r"no language data for tlh \(Debian: apt-get"):
        Peer(tesseract).read(printed("text", language="eng+tlh"))


def test_an_image_that_tesseract_cannot_read_is_read_empty(tesseract: Tesseract) -> None:
    assert tesseract.read([b"no image"], printed("text")) == [""]


def test_missing_peers_are_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    # an environment that looks installed and does not run
    (tmp_path / ".installed").write_text(rapidocr.PACKAGE)
    with peers(tmp_path) as (found, missing):
        assert not found
    assert "apt-get install tesseract-ocr" in missing["Tesseract"]
    assert "does not run" in missing["PP-OCRv4"]


STAND_IN = """
import sys

class RapidOCR:
    def __call__(self, image, use_det, use_cls, use_rec):
        assert image.shape[2] == 3 and use_rec and not use_det and not use_cls
        print("chatter")
        if image.mean() < 10:
            sys.exit("too dark for me")
        return ([["dark" if image.mean() < 128 else "light", 0.9]], None) if image.size else None
"""


@pytest.fixture
def rapid(tmp_path: Path) -> Iterator[RapidOcr]:
    """Speaks with the real worker, in which a stand-in takes the place of the library."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "rapidocr_onnxruntime.py").write_text(STAND_IN)
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / ".installed").write_text(rapidocr.PACKAGE)
    reader = RapidOcr(tmp_path)
    yield reader
    reader.stop()


def flat(gray: int) -> bytes:
    return png(np.full((32, 100), gray, np.uint8))


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_ppocr_answers_image_by_image_whatever_the_library_prints(rapid: RapidOcr) -> None:
    rapid.start()
    assert rapid.read([flat(250), flat(60), flat(200)], printed("text")) == [
        "light",
        "dark",
        "light",
    ]


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_ppocr_that_ends_says_its_last_words(rapid: RapidOcr) -> None:
    rapid.start()
    with pytest.raises(Unavailable, match="its process ended: too dark for me"):
        rapid.read([flat(0)], printed("text"))
    # and still when the next set is read
    with pytest.raises(Unavailable, match="too dark for me"):
        rapid.read([flat(250)], printed("text"))


def test_an_installation_that_fails_is_a_reason(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_text("in the way")
    with pytest.raises(Unavailable, match="could not be installed"):
        RapidOcr(folder / "below").start()
