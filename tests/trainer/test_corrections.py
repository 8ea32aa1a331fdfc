"""Corrections are lines to learn from, in splits by document, cut as the API cuts them."""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import bars
from corrections.record import Correction
from corrections.store import Store
from recognizer import image
from recognizer.recognizer import Recognizer
from sheets import png, sheet
from trainer import gate
from trainer.bootstrap import STARTER_BUNDLE
from trainer.changes import Changes
from trainer.datasets.base import SPLITS, DatasetError
from trainer.datasets.catalogue import open_dataset
from trainer.datasets.corrections import CorrectionsDataset, is_corrections
from trainer.datasets.weighted import Weighted
from trainer.evaluation import Evaluation, Judged
from trainer.settings import Settings
from trainer.submit import judging


def save(store: Store, file: bytes, text: str, **changes: Any) -> str:
    gray = image.decode(file)
    line = {"box": (0, 0, gray.shape[1], gray.shape[0]), "reading": "x", "text": text}
    correction = Correction.model_validate({"lines": [line], "level": "line", **changes})
    return store.save(file, correction).record.id


def every(dataset: CorrectionsDataset) -> dict[str, tuple[str, str]]:
    """Text -> split and document."""
    return {
        sample.text: (split, sample.document)
        for split in SPLITS
        for sample in dataset.samples(split)
    }


def test_a_document_is_in_one_split(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    texts = [f"{'a' * (n % 5 + 1)} {'a' * (n // 5 + 1)}" for n in range(40)]
    for number, text in enumerate(texts):
        save(store, bars(text), text, document=f"letter {number % 20}")
    found = every(CorrectionsDataset(str(tmp_path)))
    assert set(found) == set(texts)
    splits: dict[str, set[str]] = {}
    for split, document in found.values():
        splits.setdefault(document, set()).add(split)
    assert set(splits) == {f"letter {number}" for number in range(20)}
    assert all(len(each) == 1 for each in splits.values())
    assert set().union(*splits.values()) == set(SPLITS)


def test_an_image_without_a_document_is_one(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for text in ("a", "aa", "aaa"):
        save(store, bars(text), text)
    documents = [document for _, document in every(CorrectionsDataset(str(tmp_path))).values()]
    assert len(set(documents)) == 3


def test_what_was_learnt_from_never_judges_later(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    texts = [f"{'a' * (n % 9 + 1)} {'a' * (n // 9 + 1)}" for n in range(60)]
    ids = {text: save(store, bars(text), text, document=text) for text in texts[:45]}
    before = every(CorrectionsDataset(str(tmp_path)))
    assert {split for split, _ in before.values()} == set(SPLITS)
    for text in texts[45:]:
        save(store, bars(text), text, document=text)
    after = every(CorrectionsDataset(str(tmp_path)))
    assert {text: after[text] for text in before} == before
    # neither does it where those that judged are deleted
    for text, (split, _) in before.items():
        if split == "val":
            store.delete(ids[text])
    rest = every(CorrectionsDataset(str(tmp_path)))
    assert all(rest[text] == after[text] for text in rest)


def test_a_document_keeps_its_name_until_it_gets_another(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    save(store, bars("aaa"), "first", document="letter 1")
    save(store, bars("aaa"), "second")
    assert every(CorrectionsDataset(str(tmp_path)))["second"][1] == "letter 1"
    save(store, bars("aaa"), "second", document="letter 2")
    assert every(CorrectionsDataset(str(tmp_path)))["second"][1] == "letter 2"


def test_what_was_taken_back_counts_again(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for text in ("right", "wrong", "right"):
        save(store, bars("aaa"), text)
    assert list(every(CorrectionsDataset(str(tmp_path)))) == ["right"]


def test_the_last_correction_of_a_box_counts_whatever_it_was_taken_for(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    save(store, bars("aaa"), "as a page", level="page")
    save(store, bars("aaa"), "as a line", level="line")
    assert list(every(CorrectionsDataset(str(tmp_path)))) == ["as a line"]


def test_a_part_of_an_image_is_cut_out(tmp_path: Path) -> None:
    line = {"box": (24, 0, 64, 32), "reading": "", "text": "aa"}
    correction = Correction.model_validate({"lines": [line], "level": "line"})
    Store(str(tmp_path)).save(bars("aa a"), correction)
    dataset = CorrectionsDataset(str(tmp_path))
    (sample,) = [each for split in SPLITS for each in dataset.samples(split)]
    assert np.array_equal(sample.image(), image.decode(bars("aa a"))[0:32, 24:64])


def test_what_a_killed_process_has_left_is_removed(tmp_path: Path) -> None:
    save(Store(str(tmp_path)), bars("aa"), "aa")
    left = Path(tempfile.mkdtemp(prefix=f"corrections-{2**22 - 1}-"))
    other = Path(tempfile.mkdtemp(prefix=f"corrections-{os.getppid()}-"))
    CorrectionsDataset(str(tmp_path))
    assert not left.exists()
    assert other.exists()
    other.rmdir()


def test_the_last_correction_of_a_line_counts(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    save(store, bars("aaa"), "first")
    save(store, bars("aaa"), "second", document="letter 1")
    save(store, bars("aa"), "")
    dataset = CorrectionsDataset(str(tmp_path))
    assert list(every(dataset)) == ["second"]
    assert dataset.skipped == {"no text": 1}


def test_a_whole_image_is_as_it_was_sent(tmp_path: Path) -> None:
    save(Store(str(tmp_path)), bars("aa a"), "aa a")
    dataset = CorrectionsDataset(str(tmp_path))
    (sample,) = [each for split in SPLITS for each in dataset.samples(split)]
    assert np.array_equal(sample.image(), image.decode(bars("aa a")))


def test_lines_of_a_page_are_cut_as_they_are_when_it_is_read(tmp_path: Path) -> None:
    recognizer = Recognizer.load(STARTER_BUNDLE)
    gray, _ = sheet()
    found = recognizer.lines(gray)
    lines = [
        {
            "box": [round(value) for value in each.line.box],
            "polygon": [[round(x), round(y)] for x, y in each.line.polygon],
            "baseline": [[round(x), round(y)] for x, y in each.line.baseline],
            "reading": "",
            "text": f"line {number}",
        }
        for number, each in enumerate(found)
    ]
    correction = Correction.model_validate({"lines": lines, "level": "page"})
    Store(str(tmp_path)).save(png(gray), correction)
    dataset = CorrectionsDataset(str(tmp_path))
    samples = {each.text: each for split in SPLITS for each in dataset.samples(split)}
    assert len(samples) == len(found) > 1
    for number, each in enumerate(found):
        pixels = samples[f"line {number}"].image().astype(float)
        height, width = each.strip.pixels.shape
        # coordinates are whole numbers since
        assert abs(pixels.shape[0] - height) <= 0.05 * height + 2
        assert abs(pixels.shape[1] - width) <= 0.02 * width + 4
        assert abs(pixels.mean() - each.strip.pixels.mean()) < 4


def test_what_is_damaged_is_counted(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    save(store, bars("aa"), "aa")
    broken = save(store, bars("aaa"), "aaa")
    (tmp_path / f"{broken}.zip").write_bytes(b"PK")
    no_image = store.save(
        b"no image",
        Correction.model_validate(
            {"lines": [{"box": (0, 0, 9, 9), "reading": "", "text": "b"}], "level": "line"}
        ),
    )
    assert no_image.new
    dataset = CorrectionsDataset(str(tmp_path))
    assert list(every(dataset)) == ["aa"]
    assert dataset.skipped == {"damaged": 1, "image that cannot be read": 1}


def test_the_place_is_the_one_of_the_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORRECTIONS_DIR", raising=False)
    with pytest.raises(DatasetError, match="CORRECTIONS_DIR"):
        open_dataset("corrections", tmp_path)
    with pytest.raises(DatasetError, match="no corrections"):
        open_dataset(f"corrections:{tmp_path / 'kept'}", tmp_path)
    save(Store(str(tmp_path / "kept")), bars("aa"), "aa")
    monkeypatch.setenv("CORRECTIONS_DIR", str(tmp_path / "kept"))
    dataset = open_dataset("corrections@3", tmp_path)
    assert isinstance(dataset, Weighted)
    assert is_corrections(dataset)
    assert not is_corrections(open_dataset("synthetic:10", tmp_path))


@pytest.mark.parametrize(
    ("corrected", "others", "promoted"),
    [
        ((0.10, 0.20), (0.10, 0.10), True),
        ((0.20, 0.20), (0.05, 0.10), False),
        ((0.21, 0.20), (0.05, 0.10), False),
        ((0.10, 0.20), (0.1019, 0.10), True),
        ((0.10, 0.20), (0.1021, 0.10), False),
    ],
)
def test_the_gate_wants_corrections_read_better_and_nothing_forgotten(
    corrected: tuple[float, float], others: tuple[float, float], promoted: bool
) -> None:
    new = {"synthetic": 0.01, "lines/a": others[0], "corrections": corrected[0]}
    current = {"synthetic": 0.01, "lines/a": others[1], "corrections": corrected[1]}
    decision = gate.decide(new, current, incumbent="1", corrected=["corrections"])
    assert decision.promotes == promoted, decision.reason


def test_the_gate_counts_from_the_last_version_without_corrections() -> None:
    """Two per cent with each retraining would soon be a half."""
    first = {"synthetic": 0.10, "corrections": 0.30}
    current = {"synthetic": 0.1015, "corrections": 0.20}
    new = {"synthetic": 0.103, "corrections": 0.10}
    more = {"incumbent": "2", "corrected": ["corrections"]}
    assert gate.decide(new, current, **more).promotes  # type: ignore[arg-type]
    decision = gate.decide(new, current, **more, reference=("1", first))  # type: ignore[arg-type]
    assert not decision.promotes
    assert "worse than version 1" in decision.reason
    assert decision.reference == "1"
    assert gate.decide(current, current, incumbent="2").reference is None


def test_few_corrections_do_not_judge(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "kept"))
    for number in range(20):
        save(store, bars("a" * (number + 1)), "a" * (number + 1))
    dataset = CorrectionsDataset(str(tmp_path / "kept"))
    assert 0 < len(dataset.samples("val")) < gate.LEAST_HELD
    assert set(judging([dataset], Settings(data_dir=tmp_path))) == {"synthetic"}


def test_corrections_judge_those_too_that_have_not_learnt_from_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a training on something else would forget them, and nobody would know."""
    monkeypatch.setenv("CORRECTIONS_DIR", str(tmp_path / "kept"))
    known = Settings(data_dir=tmp_path / "data")
    assert set(judging([], known)) == {"synthetic"}  # there are none yet
    store = Store(str(tmp_path / "kept"))
    for number in range(80):
        text = f"{'a' * (number % 9 + 1)} {'a' * (number // 9 + 1)}"
        save(store, bars(text), text)
    assert set(judging([], known)) == {"synthetic", "corrections"}
    assert set(judging([], known, corrections=False)) == {"synthetic"}
    own = CorrectionsDataset(str(tmp_path / "kept"), "corrections/kept")
    assert set(judging([own], known)) == {"synthetic", "corrections/kept"}


def test_the_gate_wants_something_to_judge_by() -> None:
    scores = {"synthetic": 0.01}
    decision = gate.decide(scores, {"synthetic": 0.02}, incumbent="1", corrected=["corrections"])
    assert not decision.promotes
    assert "too few corrections" in decision.reason


def test_changes_are_shown(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    truths = ["aa", "aaa", "a a", "a<a", "aaaa"]
    for number, text in enumerate(truths):
        save(store, bars("a" * (number + 1)), text)
    dataset = CorrectionsDataset(str(tmp_path))
    samples = {each.text: each for split in SPLITS for each in dataset.samples(split)}

    def read(**texts: str) -> Evaluation:
        pairs = zip(truths, texts.values(), strict=True)
        return Evaluation(tuple(Judged(samples[truth], text, 0.9) for truth, text in pairs), 0)

    before = read(a="ab", b="aaa", c="xyz", d="a<a", e="bbaa")
    after = read(a="aa", b="<b>", c="a z", d="a<a", e="aabb")
    changes = Changes.between(before, after)
    kinds = {each.before.sample.text: each.kind for each in changes.lines}
    assert kinds == {"aa": "fixed", "aaa": "broken", "a a": "better", "a<a": None, "aaaa": "other"}
    rows = changes.table().splitlines()
    assert rows[0] == "change\tline\ttruth\tbefore\tafter"
    assert {row.split("\t")[0] for row in rows[1:]} == {"fixed", "broken", "better", "other"}
    page = changes.page("corrections", "1", "2")
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert page.count("<figure>") == 4
    assert "http" not in page
