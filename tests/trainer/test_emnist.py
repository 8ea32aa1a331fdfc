"""EMNIST's files, and lines composed of their characters."""

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from emnist_files import CLASSES, characters, idx, write
from line_sets import lines
from recognizer.recognizer import Recognizer
from trainer.corpus import Corpus
from trainer.datasets import emnist
from trainer.datasets.base import SPLITS, DatasetError
from trainer.datasets.catalogue import open_dataset
from trainer.datasets.emnist import EmnistDataset, compose, pools
from trainer.datasets.emnist_files import Characters, read
from trainer.datasets.emnist_splits import character_splits
from trainer.datasets.weighted import Weighted
from trainer.decoding.linguistics import texts_of
from trainer.gate import frozen_sets

SMALL = {"train": 12, "val": 4, "test": 4}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pools.cache_clear()
    write(tmp_path / "files", "test")
    return tmp_path / "files"


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_are_read_upright(tmp_path: Path, packed: bool) -> None:
    write(tmp_path, "train", 6, packed=packed, seed=1)
    write(tmp_path, "test", 3, packed=packed, seed=2)
    parts = read(tmp_path)
    assert {part: len(found) for part, found in parts.items()} == {"train": 6, "test": 3}
    np.testing.assert_array_equal(parts["train"].ink, characters(6, 1)[0])
    assert "".join(map(chr, parts["train"].codes)) == "1Ab1Ab"


def test_the_mat_file_says_the_same(tmp_path: Path) -> None:
    dataset = {"mapping": np.array([[label, ord(each)] for label, each in enumerate(CLASSES)])}
    for part, seed in (("train", 1), ("test", 2)):
        ink, labels = characters(6, seed)
        flat = ink.transpose(0, 2, 1).reshape(6, 784)
        dataset[part] = {"images": flat, "labels": labels[:, None]}  # type: ignore[assignment]
    savemat(tmp_path / "emnist-byclass.mat", {"dataset": dataset})
    parts = read(tmp_path)
    np.testing.assert_array_equal(parts["test"].ink, characters(6, 2)[0])
    assert "".join(map(chr, parts["test"].codes)) == "1Ab1Ab"


def test_a_letter_of_two_cases_is_the_first_of_them(tmp_path: Path) -> None:
    write(tmp_path, "test", 3)
    (tmp_path / "emnist-byclass-mapping.txt").write_text("0 65 97\n1 66 98\n2 67 99\n")
    assert "".join(map(chr, read(tmp_path)["test"].codes)) == "ABC"


def _cut(folder: Path) -> None:
    file = folder / "emnist-byclass-test-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-40])


def _no_labels(folder: Path) -> None:
    (folder / "emnist-byclass-test-labels-idx1-ubyte.gz").unlink()


def _other_magic(folder: Path) -> None:
    file = folder / "emnist-byclass-test-labels-idx1-ubyte.gz"
    file.write_bytes(gzip.compress(b"\0\0\x0d\x01" + bytes(8)))


def _too_few_labels(folder: Path) -> None:
    file = folder / "emnist-byclass-test-labels-idx1-ubyte.gz"
    file.write_bytes(gzip.compress(idx(np.zeros(3, np.uint8))))


def _unknown_label(folder: Path) -> None:
    (folder / "emnist-byclass-mapping.txt").write_text("0 65\n")


def _no_mapping(folder: Path) -> None:
    (folder / "emnist-byclass-mapping.txt").unlink()


def _nothing(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def _broken_mat(folder: Path) -> None:
    _nothing(folder)
    (folder / "emnist-byclass.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (_cut, "images-idx3-ubyte.gz is damaged"),
        (_no_labels, "lies alone"),
        (_other_magic, "first bytes are 0xd01"),
        (_too_few_labels, "60 images and 3 labels"),
        (_unknown_label, "has the label 1"),
        (_no_mapping, "mapping.txt cannot be read"),
        (_nothing, "has no files of EMNIST"),
        (_broken_mat, "emnist-byclass.mat is damaged"),
    ],
)
def test_files_that_are_not_right_are_named(folder: Path, harm: object, says: str) -> None:
    harm(folder)  # type: ignore[operator]
    with pytest.raises(DatasetError, match=says):
        open_dataset(f"emnist:{folder}", folder)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("emnist", "python -m trainer fetch emnist"),
        ("emnist:/nowhere", "no folder '/nowhere'"),
        ("emnist:FOLDER:many", "number of lines"),
        ("emnist:FOLDER:5:/nowhere", "cannot be read"),
    ],
)
def test_a_wrong_name_is_explained(folder: Path, name: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        open_dataset(name.replace("FOLDER", str(folder)), folder)


@pytest.mark.parametrize("both", [True, False])
def test_no_character_is_in_two_splits(tmp_path: Path, both: bool) -> None:
    pools.cache_clear()
    write(tmp_path, "test", 60, seed=1)
    if both:
        write(tmp_path, "train", 60, seed=2)
    found = pools(tmp_path, 1)
    kinds = [{ink.tobytes() for ink in found[split].ink} for split in SPLITS]
    assert all(kinds)
    assert sum(map(len, kinds)) == len(set().union(*kinds)) == (120 if both else 60)
    if both:
        assert {ink.tobytes() for ink in characters(60, 1)[0]} == kinds[2]


def test_the_same_seed_gives_the_same_samples_in_every_process(folder: Path) -> None:
    first = EmnistDataset(folder, **SMALL, seed=3)
    pools.cache_clear()
    again = EmnistDataset(folder, **SMALL, seed=3)
    for split in SPLITS:
        assert len(first.samples(split)) == SMALL[split]
        for one, other in zip(first.samples(split), again.samples(split), strict=True):
            assert (one.id, one.text) == (other.id, other.text)
            sent = pickle.loads(pickle.dumps(other))
            np.testing.assert_array_equal(one.image(), sent.image())
    other = EmnistDataset(folder, **SMALL, seed=4)
    assert [each.text for each in other.samples("train")] != [
        each.text for each in first.samples("train")
    ]


def test_sentences_may_be_ones_own(folder: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("Ab, bA 11!\n\n1 A\n")
    dataset = open_dataset(f"emnist:{folder}:20:{texts}", folder)
    words = {word for each in dataset.samples("train") for word in each.text.split()}
    assert words == {"Ab", "bA", "11", "1", "A"}  # without what EMNIST has not
    assert all(each.image().ndim == 2 for each in dataset.samples("val"))
    texts.write_text("éé ñ\n")
    with pytest.raises(DatasetError, match="next to no character"):
        open_dataset(f"emnist:{folder}:20:{texts}", folder)


def test_of_more_sentences_each_split_writes_its_own(folder: Path, tmp_path: Path) -> None:
    words = [f"{one}{two}{three}" for one in CLASSES for two in CLASSES for three in CLASSES]
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join([*words, *words]))
    dataset = open_dataset(f"emnist:{folder}:300:{texts}", folder)
    written = [{each.text for each in dataset.samples(split)} for split in SPLITS]
    assert sum(map(len, written)) == len(set().union(*written)) == len(words)


def test_too_few_characters_for_three_splits_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "test", 3)
    with pytest.raises(DatasetError, match="too few characters for three splits"):
        character_splits(tmp_path, 1)


@pytest.mark.parametrize("both", [True, False])
def test_splits_say_whether_they_are_the_official_ones(tmp_path: Path, both: bool) -> None:
    write(tmp_path, "test", 60, seed=1)
    if both:
        write(tmp_path, "train", 60, seed=2)
    splits = character_splits(tmp_path, 1)
    assert splits.official is both
    assert ("an honest split of the characters at hand" in splits.origin) is not both
    assert splits.classes == CLASSES
    rows = [row.split("\t") for row in splits.listing("test").splitlines()]
    assert len(rows) == (60 if both else 6)
    number = int(rows[0][0].removeprefix("test/"))
    assert rows[0][1] == CLASSES[number % len(CLASSES)]


def test_composed_lines_are_no_handwriting_to_judge_by(folder: Path, tmp_path: Path) -> None:
    """No hand wrote them: the gate and the calibration look at those that one did."""
    composed = Weighted(EmnistDataset(folder, **SMALL), 2)
    real = lines(tmp_path / "set", "a.png\ttrain\tAb", "a.png\tval\t1")
    assert not Corpus.of([composed]).real
    assert Corpus.of([composed, real]).real
    assert list(frozen_sets([composed, real])) == ["synthetic", "lines/set"]
    assert texts_of([composed, real]) == ["Ab"]


def test_small_letters_are_small_and_some_hang() -> None:
    glyph = np.zeros((28, 28), np.uint8)
    glyph[4:24, 10:18] = 255
    rows = {}
    for text in "Aag":
        ink = compose(f"A {text}", [glyph, glyph], np.random.default_rng(5))
        inked = np.flatnonzero(ink.any(axis=0))
        last = inked[np.flatnonzero(np.diff(inked) > 1)[-1] + 1]  # the first column of it
        rows[text] = np.flatnonzero(ink[:, last:].any(axis=1))
    assert len(rows["a"]) < 0.8 * len(rows["A"])
    assert rows["g"][-1] > rows["A"][-1] + 5
    assert abs(int(rows["a"][-1]) - int(rows["A"][-1])) <= 4


def test_an_empty_character_does_no_harm() -> None:
    blank = np.zeros((28, 28), np.uint8)
    assert compose("a b", [blank, blank], np.random.default_rng(0)).shape[0] > 20


def test_a_class_that_is_frequent_is_not_kept_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emnist, "MOST_OF_A_CLASS", 3)
    pools.cache_clear()
    write(tmp_path, "test", 90)
    found: Characters = pools(tmp_path, 1)["train"]
    assert np.bincount(found.codes).max() == 3
    pools.cache_clear()


def test_the_starter_reads_lines_of_real_characters(shared_data: Path) -> None:
    """It has never seen any, and each character is of another hand."""
    from trainer.evaluation import evaluate

    starter = Path(__file__).parents[2] / "services" / "trainer" / "starter"
    pools.cache_clear()
    dataset = EmnistDataset(shared_data / "emnist", train=10, val=10, test=40)
    found = evaluate(Recognizer.load(starter), dataset.samples("test"))
    assert found.scores.cer < 0.2
    pools.cache_clear()
