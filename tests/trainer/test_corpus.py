"""Several datasets as one."""

import logging
from pathlib import Path

import pytest

from line_sets import lines
from page_tree import Written, write_page
from recognizer.alphabet import Alphabet
from trainer.corpus import FEW, Corpus
from trainer.datasets.base import DatasetError
from trainer.datasets.catalogue import at_hand, open_dataset
from trainer.datasets.lines import LinesDataset
from trainer.datasets.synthetic import SyntheticDataset


def test_the_alphabet_is_what_the_training_texts_hold(tmp_path: Path) -> None:
    dataset = lines(tmp_path / "set", "a.png\ttrain\tcab", "a.png\tval\tbad")
    corpus = Corpus.of([dataset])
    assert corpus.alphabet.characters == "abc"
    assert [sample.text for sample in corpus.samples("train")] == ["cab"]


def test_a_text_the_alphabet_cannot_write_is_left_out_and_counted(tmp_path: Path) -> None:
    dataset = lines(tmp_path / "set", "a.png\ttrain\tcab", "a.png\tval\tbad")
    corpus = Corpus.of([dataset])
    assert corpus.samples("val") == []
    assert corpus.skipped() == {"characters outside the alphabet": 1}


def test_an_alphabet_to_train_on_from_is_kept_and_added_to(tmp_path: Path) -> None:
    corpus = Corpus.of([lines(tmp_path / "set", "a.png\ttrain\té")], base=Alphabet("xyz"))
    assert corpus.alphabet.characters == "xyzé"


def test_the_digest_changes_with_any_text_and_with_nothing_else(tmp_path: Path) -> None:
    one = Corpus.of([lines(tmp_path / "1", "a.png\ttrain\tcab")])
    other = Corpus.of([lines(tmp_path / "2", "a.png\ttrain\tcap")])
    again = Corpus.of([LinesDataset(tmp_path / "1")])
    assert one.digest() == again.digest() != other.digest()


def test_only_written_sets_count_as_real(tmp_path: Path) -> None:
    synthetic = SyntheticDataset(train=2, val=0, test=0)
    assert not Corpus.of([synthetic]).real
    assert Corpus.of([synthetic, lines(tmp_path / "set", "a.png\ttrain\tcab")]).real


def test_real_lines_judge_where_there_are_enough(tmp_path: Path) -> None:
    made = SyntheticDataset(train=2, val=8, test=0)
    many = [f"a.png\tval\tcab\t{number}" for number in range(FEW)]
    known = Alphabet.of(sample.text for sample in made.samples("val"))
    own = lines(tmp_path / "many", "a.png\ttrain\tcab", *many)
    enough = Corpus.of([made, own], base=known)
    assert [sample.text for sample in enough.handwriting("val")] == ["cab"] * FEW
    own = lines(tmp_path / "few", "a.png\ttrain\tcab", *many[1:])
    few = Corpus.of([made, own], base=known)
    assert len(few.handwriting("val")) == FEW - 1 + 8
    assert few.handwriting("val") == few.handwriting("val") != few.samples("val")


def test_nothing_to_train_on_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nothing to train on"):
        Corpus.of([lines(tmp_path / "set", "a.png\tval\tcab")])


@pytest.mark.parametrize("weight", ["", "@0.5"])
def test_sources_of_one_name_are_refused_and_both_are_named(tmp_path: Path, weight: str) -> None:
    for year in ("2023", "2024"):
        (tmp_path / year).mkdir()
        lines(tmp_path / year / "export", "a.png\ttrain\tcab", "a.png\tval\tcab")
    names = [f"lines:{tmp_path}/2023/export{weight}", f"lines:{tmp_path}/2024/export"]
    both = [open_dataset(name, tmp_path) for name in names]
    with pytest.raises(DatasetError, match="rename the folder") as caught:
        Corpus.of(both)
    for year in ("2023", "2024"):
        assert f"lines/export ({tmp_path}/{year}/export)" in str(caught.value)
    with pytest.raises(DatasetError, match="same name"):
        Corpus(tuple(both), Alphabet("abc"))  # as a checkpoint is exported


def test_made_sources_of_one_name_are_refused_too() -> None:
    with pytest.raises(DatasetError, match="same name: synthetic and synthetic"):
        Corpus.of([SyntheticDataset(train=1, val=0, test=0, seed=seed) for seed in (1, 2)])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "There is no dataset 'nothing'"),
        ("lines", "lines:PATH"),
        ("lines:/does/not/exist", "lines.tsv"),
        ("page", "page:PATH"),
        ("page:/does/not/exist", "folder with PAGE XML or ALTO"),
        ("peraire", "python -m trainer fetch peraire"),
        ("peraire:x", "There is no dataset 'peraire'"),
        ("synthetic:many", "write a number"),
        ("iam:/does/not/exist", "python -m trainer fetch iam"),
        ("iam-lines", "Register at"),
    ],
)
def test_a_source_that_cannot_be_opened_says_what_to_do(
    name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=message):
        open_dataset(name, tmp_path)


def test_sets_at_hand_are_found_by_what_lies_in_their_folders(tmp_path: Path) -> None:
    lines(tmp_path / "letters", "a.png\ttrain\tcab")
    write_page(tmp_path / "pages", "p", [Written("a")])
    write_page(tmp_path / ".hidden", "p", [Written("a")])
    (tmp_path / "something-else").mkdir()
    assert [dataset.name for dataset in at_hand(tmp_path)] == ["lines/letters", "page/pages"]
    assert at_hand(tmp_path / "missing") == []


def test_a_set_that_cannot_be_opened_is_not_passed_over_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines(tmp_path / "mine", "a.png\ttrain\tcab")
    (tmp_path / "mine" / "lines.tsv").write_bytes(b"a.png\ttrain\tcaf\xe9\n")
    (tmp_path / "notes").mkdir()
    with caplog.at_level(logging.WARNING):
        assert at_hand(tmp_path) == []
    (message,) = [record.getMessage() for record in caplog.records]
    assert f"{tmp_path / 'mine'} is left out" in message


def test_documents_in_several_splits_are_named(tmp_path: Path) -> None:
    torn = ("a.png\ttrain\tcab\tletter 1", "a.png\ttest\tbac\tletter 1")
    whole = ("a.png\ttrain\tcab\tletter 1", "a.png\ttest\tbac\tletter 2")
    corpus = Corpus.of([lines(tmp_path / "torn", *torn), lines(tmp_path / "whole", *whole)])
    assert corpus.straddling == ["lines/torn"]
    assert any(each.startswith("lines/torn: documents lie") for each in corpus.warnings())
