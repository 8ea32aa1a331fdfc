"""Single words cut out of lines: where they are cut, and which are left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from typer.testing import CliRunner

from bundles import ALPHABET, bars, make_bundle
from recognizer import image
from recognizer.image import Gray
from recognizer.recognizer import Recognizer
from trainer.cli import app
from trainer.datasets.base import Sample, Split
from trainer.datasets.lines import LinesDataset
from trainer.words import SingleWords, tight


@dataclass(frozen=True)
class Bars:
    """A line of bars; `text` may claim another than the one drawn."""

    text: str
    drawn: str
    id: str = "line"
    document: str = "page 1"

    def image(self) -> Gray:
        return image.decode(bars(self.drawn))


class Gone(Bars):
    def image(self) -> Gray:
        raise OSError("gone")


@dataclass(frozen=True)
class Lines:
    train: tuple[Sample, ...]
    val: tuple[Sample, ...] = ()
    name: str = "bars"
    licence: str = "ours"

    @property
    def skipped(self) -> Mapping[str, int]:
        return {}

    def samples(self, split: Split) -> Sequence[Sample]:
        return {"train": self.train, "val": self.val, "test": ()}[split]


@pytest.fixture
def recognizer(tmp_path: Path) -> Recognizer:
    return Recognizer.load(make_bundle(tmp_path / "bundle").path)


def test_words_are_cut_where_the_network_sees_spaces(recognizer: Recognizer) -> None:
    line = Bars("aa a aaaa", "aa a aaaa")
    words = SingleWords(Lines((line,)), recognizer).samples("train")
    assert [word.text for word in words] == ["aa", "a", "aaaa"]
    assert [word.document for word in words] == ["page 1"] * 3
    assert len({word.id for word in words}) == 3
    # bars are 8 columns wide and 32 apart, with one of paper on either side
    assert [word.image().shape[1] for word in words] == [42, 10, 106]


def test_a_line_of_one_word_is_that_word(recognizer: Recognizer) -> None:
    words = SingleWords(Lines((Bars("aaa", "aaa"),)), recognizer).samples("train")
    assert [word.text for word in words] == ["aaa"]


def test_words_the_network_reads_otherwise_are_left_out(tmp_path: Path) -> None:
    other = Recognizer.load(make_bundle(tmp_path / "bundle", "b").path)
    found = SingleWords(Lines((Bars("aa aa", "aa aa"),)), other)
    assert not found.samples("train")
    assert found.skipped == {"word the network is not sure of": 2}


def test_words_beside_a_space_that_is_not_there_are_left_out(recognizer: Recognizer) -> None:
    found = SingleWords(Lines((Bars("aa a a", "aa aaa"),)), recognizer)
    assert [word.text for word in found.samples("train")] == ["aa"]


def test_lines_that_cannot_be_aligned_are_counted(recognizer: Recognizer) -> None:
    lines = (Bars("q", "a"), Gone("a", "a"), Bars("a" * 400, "a"))
    assert "q" not in ALPHABET
    found = SingleWords(Lines(lines), recognizer)
    assert not found.samples("train")
    assert found.skipped == {
        "line with characters the network does not know": 1,
        "line whose image cannot be read": 1,
        "line too short for its text": 1,
    }


def test_only_the_splits_asked_for_are_aligned(recognizer: Recognizer) -> None:
    found = SingleWords(Lines((Bars("a", "a"),)), recognizer, splits=("val", "test"))
    assert [len(found.samples(split)) for split in ("train", "val", "test")] == [0, 0, 0]


def test_of_the_validation_words_some_are_kept(recognizer: Recognizer) -> None:
    line = Bars("aa a aaaa", "aa a aaaa")
    found = SingleWords(Lines((line,), val=(line, line)), recognizer, validation=4)
    assert [len(found.samples(split)) for split in ("train", "val", "test")] == [3, 4, 0]


def test_a_word_is_cut_out_round_its_ink() -> None:
    page = np.full((64, 200), 230, np.uint8)
    page[20:40, 50:120] = 30
    height, width = tight(page).shape
    assert 20 < height <= 26
    assert 70 < width <= 76


def test_ends_of_letters_from_the_line_above_do_not_count() -> None:
    page = np.full((64, 200), 230, np.uint8)
    page[24:44, 50:120] = 30
    page[0:8, 150:154] = 30
    assert tight(page).shape[1] < 80
    assert tight(page).shape[0] < 30


def test_an_empty_piece_of_paper_stays_as_it_is() -> None:
    page = np.full((30, 50), 200, np.uint8)
    assert tight(page).shape == (30, 50)


def test_the_command_writes_a_folder_that_opens_as_lines(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle").path
    rows = []
    for split in ("train", "val", "test"):
        # blurred like a scan; a packed image has no edges as hard as a drawn one
        drawn = Image.open(BytesIO(bars("aa a"))).filter(ImageFilter.GaussianBlur(0.6))
        drawn.save(tmp_path / f"{split}.png")
        rows.append(f"{split}.png\t{split}\taa a\t{split}")
    (tmp_path / "lines.tsv").write_text("\n".join(rows), encoding="utf-8")
    arguments = ["words", f"{tmp_path}/words", "-d", f"lines:{tmp_path}", "-m", str(bundle)]
    found = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert found.exit_code == 0, found.output
    assert "Wrote 4 words" in found.output
    words = LinesDataset(tmp_path / "words")
    assert [sample.text for sample in words.samples("train")] == ["aa", "a"]
    assert [sample.text for sample in words.samples("val")] == ["aa", "a"]
    # a word is no fair test of the network that found it
    assert not words.samples("test")
