"""Splits of one's own: their sizes, their documents, and what the gate makes of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from trainer import gate
from trainer.bootstrap import learnt_by_starter
from trainer.cli import app
from trainer.corpus import Corpus
from trainer.datasets.base import SPLITS, Dataset, DatasetError
from trainer.datasets.divided import Fold, Shares, divided, is_divided
from trainer.datasets.lines import LinesDataset
from trainer.datasets.synthetic import SyntheticDataset
from trainer.datasets.weighted import Weighted, weight_of

SHARES = Shares(0.75, 0.15)


def lines(folder: Path, *sizes: int, of: str = "") -> LinesDataset:
    """A set with documents of so many lines each, nearly all of them to train on.

    Args:
        of: what stands before the name of each document, as `trainer words` writes it.
    """
    (folder / "lines").mkdir(parents=True)
    rows = []
    for number, size in enumerate(sizes):
        split = {0: "val", 1: "test"}.get(number, "train")
        for line in range(size):
            name = f"lines/{number}-{line}.png"
            Image.fromarray(np.full((8, 8), 255, np.uint8)).save(folder / name)
            rows.append(f"{name}\t{split}\ttext {number} {line}\t{of}document-{number}")
    (folder / "lines.tsv").write_text("\n".join([*rows, ""]))
    return LinesDataset(folder)


def counts(dataset: Dataset) -> list[int]:
    return [len(dataset.samples(split)) for split in SPLITS]


def documents(dataset: Dataset) -> list[set[str]]:
    return [{sample.document for sample in dataset.samples(split)} for split in SPLITS]


def test_shares_are_met_and_no_document_is_in_two_splits(tmp_path: Path) -> None:
    dataset = lines(tmp_path / "set", *[1 + number % 4 for number in range(40)])
    found = divided(dataset, SHARES)
    assert sum(counts(found)) == sum(counts(dataset)) == 100
    assert np.allclose(counts(found), [75, 15, 10], atol=4)
    train, val, test = documents(found)
    assert len(train) + len(val) + len(test) == len(train | val | test) == 40
    assert found.name == dataset.name
    assert is_divided(found)
    assert not is_divided(dataset)


def test_the_seed_chooses(tmp_path: Path) -> None:
    dataset = lines(tmp_path / "set", *[2] * 30)
    same, again, other = (documents(divided(dataset, Shares(0.6, 0.2, s))) for s in (1, 1, 2))
    assert same == again
    assert same != other


@pytest.mark.parametrize("sizes", [(5, 5, 5), (1, 1, 40), (30, 2, 2, 2)])
def test_few_documents_leave_no_split_empty(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    found = divided(lines(tmp_path / "set", *sizes), SHARES)
    assert min(counts(found)) > 0
    assert counts(found)[0] == max(counts(found))


def test_too_few_documents_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"has 2 documents.*too few to divide"):
        divided(lines(tmp_path / "set", 5, 5), SHARES)


@pytest.mark.parametrize(("train", "val"), [(0.0, 0.5), (0.9, 0.1), (0.5, 0.0), (0.8, 0.4)])
def test_shares_that_leave_nothing_are_refused(train: float, val: float) -> None:
    with pytest.raises(DatasetError, match="something is left for the test"):
        Shares(train, val)


@pytest.mark.parametrize(("k", "count"), [(2, 5), (3, 12), (5, 40)])
def test_folds_test_every_document_once(tmp_path: Path, k: int, count: int) -> None:
    dataset = lines(tmp_path / "set", *[1 + number % 4 for number in range(count)])
    folds = [divided(dataset, Fold(k, number + 1)) for number in range(k)]
    tested: list[str] = []
    for fold in folds:
        train, val, test = documents(fold)
        assert train
        assert val
        assert test
        assert len(train) + len(val) + len(test) == len(train | val | test) == count
        assert sum(counts(fold)) == sum(counts(dataset))
        tested += test
    assert len(tested) == len(set(tested)) == count
    sizes = [counts(fold)[2] for fold in folds]
    assert max(sizes) - min(sizes) <= 4  # lines of the largest document


def test_folds_validate_on_their_share(tmp_path: Path) -> None:
    dataset = lines(tmp_path / "set", *[1 + number % 4 for number in range(40)])
    found = counts(divided(dataset, Fold(4, 2, val=0.15)))
    assert np.allclose(found, [60, 15, 25], atol=4)
    seeds = [documents(divided(dataset, Fold(4, 2, seed=seed))) for seed in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_folds_need_documents_enough_and_something_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"has 3 documents.*too few to divide"):
        divided(lines(tmp_path / "set", 5, 5, 5), Fold(4, 4))
    with pytest.raises(DatasetError, match="something is left to train on"):
        Fold(2, 1, val=0.5)
    with pytest.raises(DatasetError, match="no fold 4 of 3"):
        Fold(3, 4)


def test_a_weight_stays_and_what_is_made_is_not_divided(tmp_path: Path) -> None:
    found = divided(Weighted(lines(tmp_path / "set", 5, 5, 5), 0.5), SHARES)
    assert weight_of(found) == 0.5
    assert is_divided(found)
    synthetic = SyntheticDataset(train=3, val=2, test=2)
    assert divided(synthetic, SHARES) is synthetic
    assert divided(synthetic, None) is synthetic


@pytest.mark.parametrize("of", ["lines/mine/words/", "lines/mine/", "lines/w/lines/mine/words/"])
@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_words_are_not_divided_apart_from_their_lines(
    tmp_path: Path, of: str, weight: float
) -> None:
    mine = lines(tmp_path / "mine", 5, 5, 5)
    words = lines(tmp_path / "some", 5, 5, 5, of=of)
    both = [divided(each, SHARES) for each in (mine, Weighted(words, weight))]
    for each in (both, both[::-1]):
        with pytest.raises(DatasetError, match=r"lines/some comes of the documents of lines/mine"):
            Corpus.of(each)
    # alone, of lines of another set, or with the splits that they came with, they do no harm
    assert Corpus.of([both[1], lines(tmp_path / "min", 5, 5, 5)]).datasets
    assert Corpus.of([mine, words]).datasets


def test_splits_say_so_before_they_start(tmp_path: Path) -> None:
    lines(tmp_path / "mine", *[2] * 9)
    lines(tmp_path / "some", *[2] * 9, of="lines/mine/words/")
    named = [f"-dlines:{tmp_path / name}" for name in ("mine", "some")]
    done = CliRunner().invoke(app, ["splits", *named], env={"COLUMNS": "300"})
    assert done.exit_code == 1
    assert "lines/some comes of the documents of lines/mine" in done.output


def test_the_gate_does_not_compare_what_cannot_be_compared() -> None:
    scores = {"synthetic": 0.01, "lines/mine": 0.10}
    worse = {"synthetic": 0.02, "lines/mine": 0.20}
    decision = gate.decide(scores, worse, incumbent="3", divided=["lines/mine"])
    assert decision.decision == "rejected"
    assert "lines/mine in splits of its own" in decision.reason
    forced = gate.decide(scores, worse, incumbent="3", divided=["lines/mine"], force=True)
    assert forced.decision == "forced"
    first = gate.decide(scores, None, incumbent=None, divided=["lines/mine"])
    assert first.decision == "first"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--train-ratio", "0.7"], "go together"),
        (["--train-ratio", "0.7", "--val-ratio", "0.3"], "something is left for the test"),
        (["--train-ratio", "0.7", "--val-ratio", "0.2", "-d", "lines:SET"], "too few to divide"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path: Path, options: list[str], says: str) -> None:
    lines(tmp_path / "set", 5, 5)
    named = [each.replace("SET", str(tmp_path / "set")) for each in options]
    done = CliRunner().invoke(app, ["train", *named], env={"COLUMNS": "300"})
    assert done.exit_code == 1
    assert says in done.output


def test_the_starter_is_not_tested_on_what_it_has_learnt(tmp_path: Path) -> None:
    lines(tmp_path / "hooker", *[3] * 20)
    ratios = ["--train-ratio", "0.7", "--val-ratio", "0.2", "-d", f"lines:{tmp_path / 'hooker'}"]
    done = CliRunner().invoke(app, ["train", *ratios], env={"COLUMNS": "300"})
    assert done.exit_code == 1
    assert "lines/hooker: the starter has learnt from it" in done.output
    assert "Add --from-scratch." in done.output


def test_what_the_starter_has_learnt_from_is_known(tmp_path: Path) -> None:
    assert learnt_by_starter(lines(tmp_path / "hooker", 1, 1))
    assert not learnt_by_starter(lines(tmp_path / "mine", 1, 1))
    for number, of in enumerate(("lines/hooker/words/", "page/timeus/", "lines/w/lines/hooker/")):
        assert learnt_by_starter(lines(tmp_path / str(number), 1, 1, of=of))
    for number, of in enumerate(("lines/mine/words/", "hooker/", "lines/hookers/words/"), 3):
        assert not learnt_by_starter(lines(tmp_path / str(number), 1, 1, of=of))
    assert not learnt_by_starter(SyntheticDataset(train=1, val=1, test=1))
