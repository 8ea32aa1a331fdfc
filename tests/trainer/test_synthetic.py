"""Lines written with handwriting fonts: seeded, readable, and no font in two splits."""

import hashlib
import os
import pickle
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFont

from trainer.datasets import fonts, pen, prose
from trainer.datasets.base import SPLITS, DatasetError
from trainer.datasets.synthetic import SyntheticDataset, SyntheticSample, render

SERVICES = Path(__file__).parents[2] / "services"
SMALL = {"train": 12, "val": 4, "test": 4}

DIGEST = """
import hashlib
from trainer.datasets.base import SPLITS
from trainer.datasets.synthetic import SyntheticDataset

whole = hashlib.sha256()
dataset = SyntheticDataset(train=12, val=4, test=4, seed=3)
for split in SPLITS:
    for sample in dataset.samples(split):
        whole.update(f"{sample.id} {sample.text} {sample.font.name}".encode())
        whole.update(sample.image().tobytes())
print(whole.hexdigest())
"""


def digest(dataset: SyntheticDataset) -> str:
    whole = hashlib.sha256()
    for split in SPLITS:
        for sample in dataset.samples(split):
            whole.update(f"{sample.id} {sample.text} {sample.font.name}".encode())
            whole.update(sample.image().tobytes())
    return whole.hexdigest()


def test_every_process_makes_the_same_samples() -> None:
    expected = digest(SyntheticDataset(**SMALL, seed=3))
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONPATH": str(SERVICES), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected


def test_another_seed_makes_others() -> None:
    assert digest(SyntheticDataset(**SMALL, seed=1)) != digest(SyntheticDataset(**SMALL, seed=2))


def test_size_of_one_split_does_not_change_another() -> None:
    small, large = SyntheticDataset(**SMALL), SyntheticDataset(train=20, val=4, test=9)
    assert small.samples("val") == large.samples("val")
    assert small.samples("test") == large.samples("test")[:4]
    assert small.samples("train") == large.samples("train")[:12]


def test_splits_share_no_font_and_no_id() -> None:
    dataset = SyntheticDataset(train=200, val=50, test=50)
    families = [set(fonts.FAMILIES[split]) for split in SPLITS]
    files = [{sample.document for sample in dataset.samples(split)} for split in SPLITS]
    for sets in (families, files):
        assert sets[0] & sets[1] == sets[0] & sets[2] == sets[1] & sets[2] == set()
    assert len(files[0]) >= 8
    ids = [sample.id for split in SPLITS for sample in dataset.samples(split)]
    assert len(set(ids)) == len(ids) == 300


def test_words_and_lines() -> None:
    words = SyntheticDataset(train=3000, val=0, test=0, level="word").samples("train")
    assert not [sample.text for sample in words if " " in sample.text]
    lines = SyntheticDataset(train=300, val=0, test=0, level="line").samples("train")
    assert all(8 <= len(sample.text) <= 90 for sample in lines)
    assert np.mean([" " in sample.text for sample in lines]) > 0.95
    both = SyntheticDataset(train=300, val=0, test=0).samples("train")
    assert 0.2 < np.mean([" " not in sample.text for sample in both]) < 0.5


def test_texts_have_case_digits_and_punctuation() -> None:
    dataset = SyntheticDataset(train=2000, val=0, test=0)
    written = set("".join(sample.text for sample in dataset.samples("train")))
    assert (
        set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJLMNOPRSTW0123456789 .,;:!?'\"()-&/$\u00a3")
        <= written
    )
    assert set("àâçéèêîôäöü") <= written, "other languages than English"
    assert all(character.isprintable() for character in written)
    # nothing beyond Western Europe's letters, which every font here has
    assert all(ord(character) < 0x100 or character in "œŒ" for character in written)


def test_most_texts_are_english_and_the_shares_hold() -> None:
    rng = np.random.default_rng(1)
    drawn_codes = [prose.language(rng).code for _ in range(4000)]
    for tongue in prose.LANGUAGES:
        assert drawn_codes.count(tongue.code) / 4000 == pytest.approx(tongue.share, abs=0.03)
    assert sum(tongue.share for tongue in prose.LANGUAGES) == pytest.approx(1)
    english = "".join(prose.line(rng) for _ in range(500))
    assert all(character.isascii() or character == "\u00a3" for character in english)


def test_french_elides_before_a_vowel() -> None:
    rng = np.random.default_rng(2)
    french = next(tongue for tongue in prose.LANGUAGES if tongue.code == "fr")
    text = " ".join(prose.line(rng, french) for _ in range(200))
    elided = re.findall(r"\b(?:l|d|qu|c|j|n|s|m)'(\w)", text, re.IGNORECASE)
    assert len(elided) > 20
    assert set("".join(elided).lower()) <= set("aeiouyéèêàâîôh")


def test_texts_are_as_they_are_compared() -> None:
    from recognizer.alphabet import normalise

    dataset = SyntheticDataset(train=2000, val=0, test=0)
    assert all(sample.text == normalise(sample.text) for sample in dataset.samples("train"))


@pytest.mark.parametrize("split", SPLITS)
def test_every_font_has_every_character(split: str) -> None:
    """A font without a character would draw a box, or nothing, where the text has it."""
    rng = np.random.default_rng(0)
    characters = set("".join(prose.line(rng) for _ in range(2000))) - {" "}
    for file in fonts.files(split):
        font = ImageFont.truetype(str(file), 40)
        missing = drawn(font, "\U0010fffe")
        for character in sorted(characters):
            assert drawn(font, character) not in (missing, b""), f"{file.name} lacks {character!r}"


def drawn(font: ImageFont.FreeTypeFont, character: str) -> bytes:
    mask = font.getmask(character)
    return bytes(mask) if any(mask) else b""


def test_images_are_ink_on_paper_of_their_text() -> None:
    dataset = SyntheticDataset(train=60, val=10, test=10)
    for split in SPLITS:
        for sample in dataset.samples(split):
            gray = sample.image()
            assert gray.dtype == np.uint8
            assert 12 <= gray.shape[0] <= 160
            paper = np.percentile(gray, 80)
            assert paper > 120
            assert (gray < 0.85 * paper).mean() > 0.005, "no ink"
            # longer texts take more room: nothing is cut off
            assert gray.shape[1] > 3 * len(sample.text)


def test_more_text_makes_a_wider_image() -> None:
    font = fonts.files("train")[0]
    widths = [
        render("word " * n + "end", font, np.random.default_rng(1)).shape[1] for n in (1, 4, 9)
    ]
    assert widths == sorted(set(widths))


def test_letters_stand_closer_or_wider_apart_in_training_where_they_do_not_join() -> None:
    assert {file.stem.split("[")[0] for file in fonts.files("train") if not pen.joins(file)} == {
        "Caveat",
        "Delius-Regular",
        "IndieFlower-Regular",
        "ShadowsIntoLight",
    }
    dataset = SyntheticDataset(train=150, val=20, test=20)
    shares = {True: [1.0], False: [1.0]}
    for sample in dataset.samples("train"):
        assert isinstance(sample, SyntheticSample)
        usual = replace(sample, spaced=False).image()
        shares[pen.joins(sample.font)].append(sample.image().shape[1] / usual.shape[1])
    assert set(shares[True]) == {1.0}
    some = [share for share in shares[False] if share != 1]
    assert 0.3 < len(some) / len(shares[False]) < 0.7
    assert 0.75 < min(some) < 0.97
    assert 1.03 < max(some) < 1.3
    for split in ("val", "test"):
        for other in dataset.samples(split):
            assert isinstance(other, SyntheticSample)
            assert not other.spaced


def test_letters_that_are_set_one_by_one_keep_their_kerning() -> None:
    font = next(file for file in fonts.files("train") if file.stem == "Delius-Regular")
    face = fonts.load(font, 60)
    for word in ("AVATAR", "Today"):
        places = [place for place, _ in pen._pieces(word, face, 1e-6)]
        ends = [place + face.getlength(letter) for place, letter in zip(places, word, strict=True)]
        whole = [face.getlength(word[: number + 1]) for number in range(len(word))]
        assert ends == pytest.approx(whole, abs=0.01)


def test_samples_travel_to_workers() -> None:
    sample = SyntheticDataset(train=1, val=0, test=0).samples("train")[0]
    copy = pickle.loads(pickle.dumps(sample))
    assert copy == sample
    np.testing.assert_array_equal(copy.image(), sample.image())


def test_a_folder_of_fonts_is_written_with_in_training_alone(tmp_path: Path) -> None:
    packaged = fonts.files("train")[0]
    shutil.copy(packaged, tmp_path / "another-hand.ttf")
    shutil.copy(fonts.files("test")[0], tmp_path / "Satisfy-copied.ttf")
    (tmp_path / "broken.otf").write_bytes(b"no font")
    (tmp_path / "notes.txt").write_text("not a font")
    dataset = SyntheticDataset(train=200, val=20, test=20, font_dir=tmp_path)
    used = {split: {s.document for s in dataset.samples(split)} for split in SPLITS}
    assert "another-hand" in used["train"]
    assert not {"Satisfy-copied", "broken"} & set.union(*used.values())
    assert "another-hand" not in used["val"] | used["test"]
    plain = SyntheticDataset(train=0, val=20, test=20)
    assert dataset.samples("test") == plain.samples("test")


def test_a_folder_without_fonts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no font"):
        SyntheticDataset(train=1, font_dir=tmp_path)


def test_a_text_is_written_with_a_font_that_has_its_characters() -> None:
    dataset = SyntheticDataset(train=1500, val=0, test=0)
    for sample in dataset.samples("train"):
        assert isinstance(sample, SyntheticSample)
        assert set(sample.text) - {" "} <= fonts.characters(sample.font), sample.font.name


def test_negative_sizes_are_refused() -> None:
    with pytest.raises(DatasetError, match="smaller than 0"):
        SyntheticDataset(train=-1)


def test_missing_font_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fonts.FAMILIES, "val", ("no-such-hand",))
    fonts.files.cache_clear()
    try:
        with pytest.raises(DatasetError, match="fontpkg-no-such-hand is not installed"):
            SyntheticDataset(train=0, val=1, test=0)
    finally:
        fonts.files.cache_clear()
