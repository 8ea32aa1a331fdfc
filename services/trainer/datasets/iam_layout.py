"""Where the parts of the IAM database lie, in whichever way its archives were unpacked."""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainer.datasets import archive
from trainer.datasets.base import DatasetError, Level

SITE = "https://fki.tic.heia-fr.ch/databases/iam-handwriting-database"
SPLIT_LISTS = ("trainset.txt", "validationset1.txt", "validationset2.txt", "testset.txt")

FORM = r"[a-z]\d\d-\d{3}[a-z]*"
LINE = rf"{FORM}-\d{{2,}}"
WORD = rf"{LINE}-\d{{2,}}"
ID: dict[Level, str] = {"word": WORD, "line": LINE}

_SERIES = re.compile(r"[a-z]\d\d")
_JUNK = "__MACOSX"

_DEPTH = 4
"""Enough for iam/IAM_Words.zip.unpacked/IAM_Words/words.tgz.unpacked/words, which holds a01/."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of the database."""

    index: Path
    """words.txt or lines.txt."""
    images: Sequence[Path]
    """Folders that hold a01/a01-000u/*.png of the level asked for; at least one."""
    forms: Path | None
    """forms.txt, which names the writer of each form, when it is there."""
    splits: Path | None
    """The folder with the lists of the official writer-independent split, when it is there."""


@dataclass(slots=True)
class _Parts:
    index: Path | None = None
    images: list[Path] = field(default_factory=list)
    forms: Path | None = None
    splits: Path | None = None

    def add(self, other: "_Parts") -> None:
        """Fill what is still missing from `other`."""
        self.index = self.index or other.index
        self.images = self.images or other.images
        self.forms = self.forms or other.forms
        self.splits = self.splits or other.splits


def index_name(level: Level) -> str:
    return f"{level}s.txt"


def image_file(images: Path, entry: str) -> Path:
    """a01-000u-00-00 lies at a01/a01-000u/a01-000u-00-00.png."""
    series, form = entry.split("-", 2)[:2]
    return images / series / f"{series}-{form}" / f"{entry}.png"


def locate(path: Path, level: Level) -> Layout:
    """Find the parts below a folder, or inside and beside an archive, unpacking where needed.

    Raises:
        DatasetError: nothing lies at `path`, or the index or the images are missing.
        trainer.datasets.archive.ArchiveError: an archive cannot be unpacked.
    """
    if path.is_dir():
        home, parts = path, _search(path, level, depth=_DEPTH)
    elif path.is_file():
        home, parts = path.parent, _search(archive.unpack(path), level, depth=_DEPTH)
        parts.add(_search(home, level, depth=1))
    else:
        raise DatasetError(f"No IAM data: '{path}' does not exist.\n{how_to_get(level)}")
    for packed in _packed_parts(home, level, parts):
        parts.add(_search(archive.unpack(packed), level, depth=_DEPTH))
    if parts.index is None:
        raise DatasetError(
            f"No {index_name(level)} in '{path}', in its ascii/ folder or in an archive there."
            f"\n{how_to_get(level)}"
        )
    if not parts.images:
        raise DatasetError(
            f"No {level} images (such as {level}s/a01/a01-000u/*.png or {level}s.tgz) in '{path}'."
            f"\n{how_to_get(level)}"
        )
    return Layout(parts.index, parts.images, parts.forms, parts.splits)


def how_to_get(level: Level) -> str:
    put = f"Register at {SITE} (free) and put {index_name(level)} and {level}s.tgz in one folder"
    return f"{put}, or run: python -m trainer fetch iam" if level == "word" else f"{put}."


def _packed_parts(home: Path, level: Level, parts: _Parts) -> Iterator[Path]:
    """Archives under the names they are distributed by that hold what is still missing."""
    words = {f"{level}s", f"iam_{level}s"}
    folders = dict.fromkeys([home, parts.index.parent if parts.index else home])
    for path in [path for folder in folders for path in _entries(folder)]:
        if not archive.is_archive(path) or not path.is_file():
            continue
        stem = archive.stem(path)
        if (
            (not parts.images and stem in words)
            or (parts.index is None and stem in words | {"ascii"})
            or (parts.forms is None and stem == "ascii")
            or (parts.splits is None and stem.startswith("largewriterindependent"))
        ):
            yield path


def _search(root: Path, level: Level, *, depth: int) -> _Parts:
    """The nearest of each part; `depth` is how many folders down to look."""
    found = _Parts()
    for folder, names in _folders(root, depth):
        here = _Parts()
        if index_name(level) in names:
            here.index = folder / index_name(level)
        if "forms.txt" in names:
            here.forms = folder / "forms.txt"
        if SPLIT_LISTS[0] in names:
            here.splits = folder
        if any(_SERIES.fullmatch(name) for name in names) and _holds_images(folder, level):
            found.images.append(folder)
        found.add(here)
    return found


def _folders(root: Path, depth: int) -> Iterator[tuple[Path, list[str]]]:
    """Folders with the names in them, nearest first, leaving out the image trees themselves."""
    queue = deque([(root, 0)])
    while queue:
        folder, level = queue.popleft()
        entries = _entries(folder)
        yield folder, [entry.name for entry in entries]
        if level == depth:
            continue
        for entry in entries:
            hidden = entry.name.startswith(".") or entry.name == _JUNK
            if not hidden and not _SERIES.fullmatch(entry.name) and entry.is_dir():
                queue.append((entry, level + 1))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # not ours to read; what is looked for may lie elsewhere
        return []


def _holds_images(folder: Path, level: Level) -> bool:
    """Word and line images have the same tree: only the names of the files tell."""
    name = re.compile(rf"{ID[level]}\.png")
    return any(name.fullmatch(path.name) for path in folder.glob("[a-z][0-9][0-9]/*/*.png"))
