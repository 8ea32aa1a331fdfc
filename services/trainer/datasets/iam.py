"""The IAM Handwriting Database: English words and lines, in its native layout.

U.-V. Marti and H. Bunke, "The IAM-database: an English sentence database for offline
handwriting recognition", International Journal on Document Analysis and Recognition, 2002.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from recognizer.alphabet import normalise
from trainer.datasets.base import SPLITS, DatasetError, FileSample, Level, Sample, Split
from trainer.datasets.hashed import share_of
from trainer.datasets.iam_layout import (
    FORM,
    LINE,
    SITE,
    SPLIT_LISTS,
    WORD,
    Layout,
    how_to_get,
    image_file,
    locate,
)

SplitBy = Literal["official", "writer", "form"]

LICENCE = f"IAM Handwriting Database (Marti and Bunke, 2002), non-commercial research only, {SITE}"

_TRAIN_SHARE, _VAL_SHARE = 0.8, 0.1

_BOX = r"(?: -?\d+){4}"
# A number where the tag belongs is a row shifted by a field, whose text would be wrong
_ROW: dict[Level, re.Pattern[str]] = {
    "word": re.compile(rf"({WORD}) (ok|err?) \d+{_BOX} (?!-?\d+ )\S+ (\S.*)"),
    "line": re.compile(rf"({LINE}) (ok|err?) \d+ \d+{_BOX} (\S.*)"),
}
_FORM_ROW = re.compile(rf"({FORM}) (\S+)")


class IamDataset:
    """Words or lines of the IAM database.

    Splits are, in this order of preference: the official ones of the "Large Writer Independent
    Text Line Recognition Task" when its lists are at hand (both validation sets become `val`),
    by writer when forms.txt is, else by form; `split_by` says which. The latter two hash
    the writer or form, about 80, 10 and 10 in 100, so that further files move nothing.
    """

    def __init__(self, path: Path, *, level: Level = "word") -> None:
        """Open a folder, or an archive such as words.tgz or IAM_Words.zip.

        An archive is unpacked beside itself, once. Entries whose segmentation is marked `err`,
        malformed rows, and images that are missing or empty are left out and counted.

        Raises:
            DatasetError: a part is missing or broken, or nothing usable is left.
        """
        layout = locate(path, level)
        writers = _read_writers(layout.forms)
        split_of, self.split_by = _splits(layout, writers)
        self.level: Level = level
        self._skipped: Counter[str] = Counter()
        self._samples: dict[Split, list[Sample]] = {split: [] for split in SPLITS}
        for entry, text in sorted(_read_index(layout.index, level, self._skipped).items()):
            image = _find_image(layout.images, entry, self._skipped)
            if image is None:
                continue
            line = entry.rsplit("-", 1)[0] if level == "word" else entry
            form = line.rsplit("-", 1)[0]
            document = writers.get(form, form)
            split = split_of(line, document)
            if split is None:
                self._skipped["not in the official split lists"] += 1
                continue
            self._samples[split].append(FileSample(entry, text, document, image))
        if not any(self._samples.values()):
            reasons = ", ".join(f"{count} {reason}" for reason, count in self._skipped.items())
            raise DatasetError(
                f"No usable {level} in '{layout.index}' ({reasons or 'it is empty'})."
                f"\n{how_to_get(level)}"
            )

    @property
    def name(self) -> str:
        return f"iam/{self.level}s"

    @property
    def licence(self) -> str:
        # the split says what a figure is worth: by form, a writer may straddle it
        return f"{LICENCE}; {self.split_by} split"

    @property
    def skipped(self) -> Mapping[str, int]:
        return self._skipped

    def samples(self, split: Split) -> Sequence[Sample]:
        return self._samples[split]


def _read_index(index: Path, level: Level, skipped: Counter[str]) -> dict[str, str]:
    """Id to text. In lines, `|` stands between tokens, punctuation among them, and becomes a
    space: "life|Peers|." reads "life Peers .", as nearly all published results on IAM have it."""
    texts: dict[str, str] = {}
    for row in _rows(index):
        match = _ROW[level].fullmatch(row)
        if match is None or "\N{REPLACEMENT CHARACTER}" in row:
            skipped["malformed row"] += 1
            continue
        entry, state, text = match.groups()
        text = normalise(text.replace("|", " ") if level == "line" else text)
        if state != "ok":
            skipped["segmentation marked err"] += 1
        elif not text:
            skipped["malformed row"] += 1
        elif entry in texts:
            skipped["id seen before"] += 1
        else:
            texts[entry] = text
    return texts


def _find_image(folders: Sequence[Path], entry: str, skipped: Counter[str]) -> Path | None:
    empty = False
    for folder in folders:
        file = image_file(folder, entry)
        try:
            if file.stat().st_size:
                return file
            empty = True
        except OSError:
            continue
    skipped["image empty" if empty else "image missing"] += 1
    return None


def _read_writers(forms: Path | None) -> dict[str, str]:
    """Form to writer; the prefix keeps writer 000 apart from any form's name."""
    if forms is None:
        return {}
    rows = (_FORM_ROW.match(row) for row in _rows(forms))
    return {row[1]: f"writer-{row[2]}" for row in rows if row}


def _splits(
    layout: Layout, writers: Mapping[str, str]
) -> tuple[Callable[[str, str], Split | None], SplitBy]:
    """How a line id and its document get their split; None leaves the line out."""
    if layout.splits is None:
        return lambda _, document: _hashed(document), "writer" if writers else "form"
    official = _read_official(layout.splits)
    return lambda line, _: official.get(line), "official"


def _read_official(folder: Path) -> dict[str, Split]:
    if missing := [name for name in SPLIT_LISTS if not (folder / name).is_file()]:
        raise DatasetError(
            f"'{folder}' lacks {', '.join(missing)} of the official split.\n"
            f"Add what is missing, or remove {SPLIT_LISTS[0]} to split by writer or form."
        )
    order: tuple[Split, ...] = ("train", "val", "val", "test")
    official: dict[str, Split] = {}
    for name, split in zip(SPLIT_LISTS, order, strict=True):
        official |= dict.fromkeys(_rows(folder / name), split)
    return official


def _hashed(document: str) -> Split:
    # in another order than that of `split_of`: older trainings were divided so
    share = share_of(document)
    if share < _TRAIN_SHARE:
        return "train"
    return "val" if share < _TRAIN_SHARE + _VAL_SHARE else "test"


def _rows(file: Path) -> list[str]:
    """Rows that are neither blank nor comments, without space around them."""
    try:
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise DatasetError(f"Cannot read '{file}': {error.strerror or error}.") from error
    rows = (row.strip() for row in text.split("\n"))
    return [row for row in rows if row and not row.startswith("#")]
