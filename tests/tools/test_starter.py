"""The card of the starter, and the starter itself."""

from pathlib import Path

import pytest

from recognizer.bundle import Bundle
from recognizer.manifest import CARD
from tools.starter.__main__ import MOST_BYTES
from tools.starter.card import Words, completed
from trainer.bootstrap import STARTER_BUNDLE
from trainer.card import model_card
from trainer.corpus import Corpus
from trainer.datasets.synthetic import SyntheticDataset
from trainer.recipe import Recipe


def test_a_card_is_completed_with_what_only_people_know() -> None:
    corpus = Corpus.of([SyntheticDataset(train=5, val=1, test=1)])
    card = model_card(corpus, Recipe(), epochs=3, start="random weights", scores={})
    text = completed(
        card,
        words=Words(70, 7, ("hooker", "poilus")),
        history="in one training of 3 epochs",
        fonts=4,
    )
    assert text.startswith("# Handwriting recogniser, starter model\n")
    for told in (
        "| single words | 70 / 7 / 0 | cut out of training and validation lines of hooker, poilus",
        "| synthetic | 5 / 1 / 1 | synthetic: rendered from fonts",
        "A CRNN with CTC of size `small`, in one training of 3 epochs; batches of\n16, Muon",
        "## Licence of the weights",
        "J'ai lu les\nconditions de participation",
    ):
        assert told in text
    assert text.count("## Training\n") == 1
    assert set(card.splitlines()) - set(text.splitlines()) == {
        card.splitlines()[0],
        next(row for row in card.splitlines() if row.startswith("| synthetic |")),
        next(row for row in card.splitlines() if row.startswith("A CRNN")),
    }


def test_words_name_the_sets_that_they_come_of(tmp_path: Path) -> None:
    rows = (
        ("a-words/train-0.webp", "train", "one", "lines/hooker/words/page_1"),
        ("a-words/train-1.webp", "train", "two", "lines/hooker/words/page_1"),
        ("b-words/val-0.webp", "val", "three", "page/poilus/words/will_2"),
    )
    (tmp_path / "lines.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    assert Words.of(tmp_path) == Words(2, 1, ("hooker", "poilus"))


def test_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match="no row for synthetic"):
        completed("# Card\n", words=Words(1, 1, ()), history="", fonts=0)


def test_the_starter_has_such_a_card_and_is_small() -> None:
    bundle = Bundle.load(STARTER_BUNDLE)
    card = (bundle.path / CARD).read_text("utf-8")
    assert "## Licence of the weights" in card
    assert "J'ai lu les\nconditions de participation" in card
    assert sum(file.stat().st_size for file in bundle.path.rglob("*") if file.is_file()) < (
        MOST_BYTES
    )
