"""A TSV file of line images: what is used, what is left out, and the real sets."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recognizer.alphabet import normalise
from trainer.datasets.base import SPLITS, DatasetError
from trainer.datasets.lines import LinesDataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images `0.png` to `4.png` in `lines/` of a set called `mine`, no index yet."""
    images = tmp_path / "mine" / "lines"
    images.mkdir(parents=True)
    for number in range(5):
        Image.fromarray(np.full((8, 10 + number), 255, np.uint8)).save(images / f"{number}.png")
    return tmp_path / "mine"


def index(folder: Path, *rows: str, name: str = "lines.tsv", encoding: str = "utf-8") -> Path:
    file = folder / name
    file.write_text("\n".join([*rows, ""]), encoding=encoding)
    return file


def test_rows_become_samples_of_their_split(folder: Path) -> None:
    index(
        folder,
        "lines/0.png\ttrain\tDear Sir,\tletter 1",
        "lines/1.png\ttrain\tI am\tletter 1",
        "lines/2.png\tval\tyours\tletter 2",
        "lines/3.png\ttest\ttruly",
        "lines/4.png\ttest\tJ.\t ",
    )
    dataset = LinesDataset(folder)
    assert dataset.name == "lines/mine"
    assert dataset.skipped == {}
    texts = {split: [sample.text for sample in dataset.samples(split)] for split in SPLITS}
    assert texts == {"train": ["Dear Sir,", "I am"], "val": ["yours"], "test": ["truly", "J."]}
    first = dataset.samples("train")[0]
    assert (first.id, first.document) == ("lines/0.png", "letter 1")
    assert first.image().shape == (8, 10)
    assert [each.document for each in dataset.samples("test")] == ["lines/3.png", "lines/4.png"]


def test_what_cannot_be_used_is_counted_by_reason(folder: Path) -> None:
    index(
        folder,
        "lines/0.png\ttrain\tgood",
        "lines/0.png\ttrain",
        "",
        "lines/1.png\tdev\ttext",
        "lines/2.png\ttrain\t \u00a0",
        "lines/9.png\ttrain\ttext",
        "lines\ttrain\ttext",
        f"{'a long line of text ' * 20}\ttrain\tlines/3.png",
    )
    dataset = LinesDataset(folder)
    assert [sample.text for sample in dataset.samples("train")] == ["good"]
    assert dataset.skipped == {
        "row without three columns": 2,
        "unknown split 'dev'": 1,
        "empty text": 1,
        "missing image": 3,
    }


def test_texts_are_normalised(folder: Path) -> None:
    index(folder, "lines/0.png\ttrain\t caf\u0065\u0301  au\u00a0lait ")
    assert LinesDataset(folder).samples("train")[0].text == "caf\u00e9 au lait"


def test_only_line_feeds_end_a_row(folder: Path) -> None:
    index(folder, "lines/0.png\ttrain\tone\u2028two\x0cthree\x85four")
    dataset = LinesDataset(folder)
    assert dataset.samples("train")[0].text == "one two three four"
    assert dataset.skipped == {}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_files_of_a_spreadsheet(folder: Path, encoding: str) -> None:
    """They begin with a byte order mark and end their rows with two characters."""
    rows = ["lines/0.png\ttrain\tone\r", "lines/1.png\ttrain\ttwo\r"]
    index(folder, *rows, encoding=encoding)
    dataset = LinesDataset(folder)
    assert [sample.text for sample in dataset.samples("train")] == ["one", "two"]
    assert dataset.skipped == {}


def test_an_index_of_another_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = index(folder, "lines/0.png\ttrain\tone", name="mine.tsv")
    assert LinesDataset(file).name == "lines/mine"
    monkeypatch.chdir(folder)
    for path in (Path("mine.tsv"), file):
        assert LinesDataset(path).name == "lines/mine"
        assert LinesDataset(path).samples("train")[0].image().shape == (8, 10)


def test_a_missing_index_says_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"There is no .*lines\.tsv.*image, split .* and text"):
        LinesDataset(tmp_path)
    with pytest.raises(DatasetError, match=r"There is no .*nowhere"):
        LinesDataset(tmp_path / "nowhere")


def test_an_index_of_which_nothing_can_be_used(folder: Path) -> None:
    index(folder, "lines/7.png\ttrain\tone", "lines/8.png\ttrain\ttwo")
    with pytest.raises(DatasetError, match=r"Nothing in .*'missing image': 2"):
        LinesDataset(folder)


def test_an_index_that_is_not_utf8(folder: Path) -> None:
    index(folder, "lines/0.png\ttrain\tcaf\u00e9", encoding="latin-1")
    with pytest.raises(DatasetError, match="cannot be read as UTF-8"):
        LinesDataset(folder)


def test_licence_is_taken_from_beside_the_index(folder: Path) -> None:
    index(folder, "lines/0.png\ttrain\tone")
    assert LinesDataset(folder).licence == "mine: licence not stated"
    (folder / "LICENSE.md").write_text(
        "# My letters\n\nFound in a drawer.\nLicence: CC BY 4.0,\nas they say.\n\n"
        "Kept dry.\n\nAttribution: Me | mine.\n"
    )
    assert LinesDataset(folder).licence == (
        "My letters. Licence: CC BY 4.0, as they say. Attribution: Me / mine."
    )
    (folder / "LICENSE.md").write_bytes(b"# L\xe9ttres\n")
    assert "ttres" in LinesDataset(folder).licence


SETS = {
    "hooker": (5362, 704, 334),
    "copiste": (4114, 536, 242),
    "peraire": (1794, 238, 238),
    "cremma_mss19": (1327, 142, 97),
    "poilus": (921, 117, 116),
    "stanford1905": (279, 31, 35),
    "cremma_mss20": (148, 0, 0),
    "celestine": (123, 5, 0),
}


@pytest.mark.parametrize("name", SETS)
def test_real_sets_are_read_whole(shared_data: Path, name: str) -> None:
    dataset = LinesDataset(shared_data / name)
    assert tuple(len(dataset.samples(split)) for split in SPLITS) == SETS[name]
    assert dataset.skipped == {}
    assert "CC BY" in dataset.licence
    documents: Counter[str] = Counter()
    for split in SPLITS:
        samples = dataset.samples(split)
        documents.update({sample.document for sample in samples})
        assert all(sample.text == normalise(sample.text) for sample in samples)
        for sample in samples[:3]:
            assert sample.image().shape[0] == 64
    assert set(documents.values()) == {1}, "a document straddles two splits"
