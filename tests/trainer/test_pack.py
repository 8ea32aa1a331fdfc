"""Datasets packed small: another `lines` folder with the same texts and splits."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from recognizer.alphabet import Alphabet
from samples import Scrawl
from trainer.card import model_card
from trainer.corpus import Corpus
from trainer.datasets.base import Dataset, DatasetError, Sample, Split
from trainer.datasets.lines import LinesDataset
from trainer.datasets.synthetic import SyntheticDataset
from trainer.datasets.weighted import Weighted
from trainer.pack import pack
from trainer.recipe import Recipe

WORDS = SyntheticDataset(train=6, val=3, test=2, level="word", seed=2)


class Written:
    """The same words, as if a hand had written them."""

    name = "lines/written"
    licence = "Licence: CC BY 4.0. Attribution: Ada"
    skipped: dict[str, int] = {}  # noqa: RUF012  # as the protocol has it

    def samples(self, split: Split) -> Sequence[Sample]:
        return WORDS.samples(split)


class OneBroken:
    name = "scrawls"
    licence = "ours"
    skipped: dict[str, int] = {}  # noqa: RUF012  # as the protocol has it

    def samples(self, split: Split) -> list[Sample]:
        return [Scrawl("1", "a", 40), Missing()] if split == "train" else []


class SameWords:
    """Every split of the same words, so that one alphabet has them all."""

    name = "words"
    licence = "ours"
    skipped: dict[str, int] = {}  # noqa: RUF012  # as the protocol has it

    def samples(self, split: Split) -> Sequence[Sample]:
        return WORDS.samples("train")[: {"train": 6, "val": 3, "test": 2}[split]]


class OneWord(SameWords):
    def samples(self, split: Split) -> Sequence[Sample]:
        return super().samples(split)[:1]


class Missing(Scrawl):
    def __init__(self) -> None:
        super().__init__("2", "b", 40)

    def image(self):  # type: ignore[no-untyped-def]
        raise OSError("gone")


def test_a_packed_folder_opens_with_the_same_texts_splits_and_documents(tmp_path: Path) -> None:
    assert pack([Written()], tmp_path / "packed", height=32) == (11, 0)
    packed = LinesDataset(tmp_path / "packed")
    for split in ("train", "val", "test"):
        mine, its = WORDS.samples(split), packed.samples(split)
        assert [sample.text for sample in its] == [sample.text for sample in mine]
        assert [s.document for s in its] == [f"lines/written/{s.document}" for s in mine]
    for before, after in zip(WORDS.samples("train"), packed.samples("train"), strict=True):
        old, new = before.image(), after.image()
        assert new.shape[0] == min(32, old.shape[0])
        assert new.shape[1] == pytest.approx(old.shape[1] * new.shape[0] / old.shape[0], abs=1)
        assert abs(float(new.mean()) - float(old.mean())) < 12


def test_some_splits_can_stay_behind(tmp_path: Path) -> None:
    pack([Written()], tmp_path, height=32, splits=("train",))
    assert not LinesDataset(tmp_path).samples("test")


def test_an_image_that_cannot_be_read_is_counted_and_left_out(tmp_path: Path) -> None:
    assert pack([OneBroken()], tmp_path, height=64) == (1, 1)
    kept = LinesDataset(tmp_path).samples("train")
    assert [sample.text for sample in kept] == ["a"]
    assert kept[0].image().shape[0] == 32, "a smaller image is not enlarged"


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match="not empty"):
        pack([Written()], tmp_path, height=32)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("dataset", [WORDS, Weighted(WORDS, 0.5)])
def test_what_is_made_is_not_packed_as_handwriting(tmp_path: Path, dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match=r"synthetic: its lines are made.* where you train"):
        pack([Written(), dataset], tmp_path / "packed", height=32)
    assert not (tmp_path / "packed").exists()


def test_the_card_names_the_licences_of_all_that_was_packed(tmp_path: Path) -> None:
    pack([Written(), OneBroken()], tmp_path / "packed", height=32)
    corpus = Corpus.of([LinesDataset(tmp_path / "packed")])
    card = model_card(corpus, Recipe(), epochs=1, start="random weights", scores={})
    (row,) = (line for line in card.splitlines() if line.startswith("| lines/packed |"))
    for dataset in (Written(), OneBroken()):
        assert f"Licence of {dataset.name}: {dataset.licence}" in row


def test_fitting_needs_no_mlflow_and_its_checkpoint_reads(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    from recognizer.bundle import Bundle
    from trainer.checkpoint import Checkpoint
    from trainer.finish import finish_checkpoint
    from trainer.fit import fit
    from trainer.state import Epoch, State

    class Quiet:
        def on_batch(self, state: State, done: float, loss: float) -> None: ...

        def on_epoch(self, epoch: Epoch, state: State) -> None: ...

    recipe = Recipe(size="tiny", epochs=1, batch_size=3)
    assert fit(recipe, [SameWords()], tmp_path, Quiet()) == "all epochs"
    state = Checkpoint(tmp_path).state()
    assert state.epoch == 1
    assert Alphabet(state.alphabet).covers(WORDS.samples("train")[0].text)
    further = Recipe(size="tiny", epochs=2, batch_size=3)
    assert fit(further, [SameWords()], tmp_path, Quiet(), resume=True) == "all epochs"
    assert Checkpoint(tmp_path).state().epoch == 2
    assert Checkpoint(tmp_path).best().name == "crnn_tiny"
    finished = finish_checkpoint(Checkpoint(tmp_path), [SameWords()], tmp_path / "bundle")
    assert Bundle.load(tmp_path / "bundle").alphabet.characters == state.alphabet
    assert finished.tests["words"].scores.samples == 2
    assert "2 epochs from random weights" in finished.card
    assert "| words | 6 / 3 / 2 |" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    # trained on from that bundle, whose characters stay, also when that training is resumed
    on = tmp_path / "on"
    assert fit(recipe, [OneWord()], on, Quiet(), start=tmp_path / "bundle") == "all epochs"
    assert fit(further, [OneWord()], on, Quiet(), resume=True) == "all epochs"
    assert Checkpoint(on).state().origin == "the bundle bundle"
    assert Checkpoint(on).state().alphabet == state.alphabet
