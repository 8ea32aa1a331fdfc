"""What a bundle's language model, lexicon and calibration do to its readings."""

import json
from pathlib import Path

import numpy as np
import pytest

from bundles import bars, make_bundle
from recognizer import language, wordlist
from recognizer.bundle import Bundle, seal
from recognizer.errors import BundleError, ReadingError
from recognizer.image import decode
from recognizer.manifest import NAME, Calibration
from recognizer.recognizer import Recognizer
from rich_bundles import make_rich_bundle


@pytest.fixture
def rich(tmp_path: Path) -> Bundle:
    return make_rich_bundle(tmp_path / "rich")


def test_a_lexicon_makes_a_decoder(rich: Bundle, tmp_path: Path) -> None:
    assert Recognizer.load(rich.path).decoders == ("greedy", "beam", "lexicon")
    plain = Recognizer.load(make_bundle(tmp_path / "plain").path)
    assert plain.decoders == ("greedy", "beam")
    assert (Recognizer.load(rich.path).best_decoder, plain.best_decoder) == ("lexicon", "greedy")
    with pytest.raises(ReadingError, match="has no lexicon; the decoder must be greedy or beam"):
        plain.read([decode(bars("a"))], decoder="lexicon")


@pytest.mark.parametrize("decoder", ["greedy", "beam", "lexicon"])
def test_what_is_plain_is_read_by_every_decoder(rich: Bundle, decoder: str) -> None:
    (reading,) = Recognizer.load(rich.path).read(
        [decode(bars("aa a aaa"))],
        decoder=decoder,  # type: ignore[arg-type]
        alternatives=3,
    )
    assert reading.text == "aa a aaa"
    assert reading.text not in {other.text for other in reading.alternatives}
    assert sum(other.confidence for other in reading.alternatives) <= 1


def test_an_image_without_writing_gives_no_text(rich: Bundle) -> None:
    blank = np.full((32, 200), 255, np.uint8)
    for decoder in ("beam", "lexicon"):
        (reading,) = Recognizer.load(rich.path).read([blank], decoder=decoder)  # type: ignore[arg-type]
        assert reading.text == ""


def test_calibration_is_of_its_decoder_alone(rich: Bundle) -> None:
    told = {
        "calibration": {"greedy": Calibration(right=0.5, wrong=0.5, offset=-1.0)},
        "temperature": 30.0,
    }
    fitted = seal(rich.path, rich.manifest.model_copy(update=told))
    reader = Recognizer(fitted)
    image = decode(bars("aaa"))
    greedy, beam = (reader.read([image], decoder=d)[0] for d in ("greedy", "beam"))  # type: ignore[arg-type]
    assert greedy.text == beam.text
    for bent, plain in zip(greedy.characters, beam.characters, strict=True):
        odds = np.log(plain.confidence / (1 - plain.confidence))
        assert bent.confidence == pytest.approx(1 / (1 + np.exp(1 - 0.5 * odds)))


@pytest.mark.parametrize(
    ("file", "says"),
    [(language.FILE, "is no language model"), (wordlist.FILE, "is no gzipped UTF-8 text")],
)
def test_a_broken_file_keeps_a_bundle_from_being_served(rich: Bundle, file: str, says: str) -> None:
    (rich.path / file).write_bytes(b"broken")
    with pytest.raises(BundleError, match=f"{file}: does not have the digest"):
        Bundle.load(rich.path)
    with pytest.raises(BundleError, match=f"{file}: {says}"):
        Recognizer.load(seal(rich.path, rich.manifest).path)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("language.weight", -1.0, "language.weight"),
        ("language.file", "../model.npz", "language.file"),
        ("language.file", "other.npz", None),
        ("lexicon.escape", "many", "lexicon.escape"),
        ("lexicon.file", "other.gz", None),
        ("calibration.lexicon.right", -0.1, "calibration.lexicon.right"),
        ("calibration.best", {"right": 1.0, "wrong": 1.0, "offset": 0.0}, "calibration.best.[key]"),
    ],
)
def test_a_wrong_field_is_named(rich: Bundle, path: str, value: object, field: str | None) -> None:
    manifest = json.loads((rich.path / NAME).read_text())
    where = manifest
    *outer, last = path.split(".")
    for part in outer:
        where = where[part]
    where[last] = value
    (rich.path / NAME).write_text(json.dumps(manifest))
    with pytest.raises(BundleError) as raised:
        Bundle.load(rich.path)
    assert raised.value.field == field


def test_a_manifest_without_the_new_fields_still_loads(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "old").path
    manifest = json.loads((path / NAME).read_text())
    assert "language" not in manifest
    manifest.pop("calibration", None)
    (path / NAME).write_text(json.dumps(manifest))
    assert Recognizer.load(path).manifest.calibration == {}
