"""Data sources by name, as the command line and the settings write them."""

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from trainer.datasets.archive import folder_of
from trainer.datasets.base import Dataset, DatasetError
from trainer.datasets.corrections import NAME as CORRECTIONS
from trainer.datasets.corrections import CorrectionsDataset
from trainer.datasets.emnist import EmnistDataset
from trainer.datasets.iam import IamDataset
from trainer.datasets.lines import INDEX, LinesDataset
from trainer.datasets.page import PageDataset
from trainer.datasets.sources import EMNIST, SOURCES, Source
from trainer.datasets.synthetic import SyntheticDataset
from trainer.datasets.weighted import Weighted, without_weight
from trainer.settings import load

log = logging.getLogger(__name__)

OPEN = tuple(name for name, source in SOURCES.items() if source.choice is not None)
"""Sets of pages that `trainer fetch` brings."""

KEPT = ".lines"  # below DATA_DIR: lines once cut out of their pages

FORMS = {
    "synthetic": "synthetic[:LINES[:FONTS]]  words and lines in handwriting fonts, LINES to train "
    "on; FONTS is a folder with more fonts",
    "lines": f"lines:PATH  a folder with {INDEX} (image, split, text, document; tabs)",
    "page": "page:PATH  a folder with PAGE XML or ALTO files and their page images",
    "iam": "iam[:PATH]  IAM words, from a folder or an archive; without PATH what "
    "`trainer fetch iam` brought",
    "iam-lines": "iam-lines:PATH  IAM lines, from a folder with lines.txt and lines.tgz",
    "emnist": "emnist[:PATH[:LINES[:TEXTS]]]  words and lines composed of the characters in a "
    "folder of EMNIST's files, idx or mat; without PATH what `trainer fetch emnist` brought; TEXTS "
    "is a file with a sentence on each line",
    CORRECTIONS: "corrections[:PATH]  what people corrected on the page; without PATH what "
    "CORRECTIONS_DIR names, a folder or a bucket",
    "open": f"{', '.join(OPEN)}  what `trainer fetch NAME` brought",
    "weight": "any of them with @WEIGHT, as in lines:PATH@0.5: an epoch draws half of its "
    "training lines, others in the next; @2 draws each twice",
}


def open_dataset(name: str, data_dir: Path) -> Dataset:
    """Open a data source.

    Args:
        name: one of `FORMS`.
        data_dir: where fetched sets lie.

    Raises:
        DatasetError: no such source, or it cannot be opened; the message says what to do.
    """
    name, weight = without_weight(name)
    kind, _, argument = name.partition(":")
    if kind in OPEN and not argument:
        dataset = _fetched(SOURCES[kind], data_dir)
    elif (opener := _OPENERS.get(kind)) is not None:
        dataset = opener(argument, data_dir)
    else:
        known = ", ".join([*_OPENERS, *OPEN])
        raise DatasetError(
            f"There is no dataset {kind!r}. Known: {known}; `trainer datasets` explains them."
        )
    return dataset if weight == 1 else Weighted(dataset, weight)


def _synthetic(argument: str, data_dir: Path) -> Dataset:
    if not argument:
        return SyntheticDataset()
    lines, _, more = argument.partition(":")
    if not lines.isdecimal():
        raise DatasetError(f"synthetic:{argument}: write a number of lines, as in synthetic:5000.")
    return SyntheticDataset(train=int(lines), font_dir=Path(more) if more else None)


def _lines(argument: str, data_dir: Path) -> Dataset:
    if not argument:
        raise DatasetError(f"Name the folder with {INDEX}: lines:PATH")
    return LinesDataset(Path(argument))


def _page(argument: str, data_dir: Path) -> Dataset:
    if not argument:
        raise DatasetError("Name the folder with PAGE XML or ALTO files: page:PATH")
    return PageDataset(Path(argument), keep=data_dir / KEPT)


def _iam(argument: str, data_dir: Path) -> Dataset:
    return IamDataset(Path(argument) if argument else data_dir / "iam", level="word")


def _iam_lines(argument: str, data_dir: Path) -> Dataset:
    return IamDataset(Path(argument) if argument else data_dir / "iam", level="line")


def _emnist(argument: str, data_dir: Path) -> Dataset:
    folder, _, rest = argument.partition(":")
    lines, _, texts = rest.partition(":")
    if lines and not lines.isdecimal():
        raise DatasetError(
            f"emnist:{argument}: write a number of lines after the folder, as in emnist:PATH:5000."
        )
    return EmnistDataset(
        emnist_folder(folder, data_dir),
        train=int(lines or 20_000),
        texts=Path(texts) if texts else None,
    )


def _corrections(argument: str, data_dir: Path) -> Dataset:
    location = argument or load().corrections_dir
    if not location:
        raise DatasetError(
            "Nobody has said where corrections are kept: set CORRECTIONS_DIR, for the API too, "
            f"or name the place, as in {CORRECTIONS}:PATH."
        )
    place = argument.rstrip("/").rpartition("/")[2]
    return CorrectionsDataset(location, f"{CORRECTIONS}/{place}" if place else CORRECTIONS)


def emnist_folder(path: str, data_dir: Path) -> Path:
    """Where EMNIST's files are: in `path`, or where they were fetched to if that is empty.

    Raises:
        DatasetError: they have not been fetched.
    """
    return Path(path) if path else _brought(EMNIST, data_dir)


_OPENERS: dict[str, Callable[[str, Path], Dataset]] = {
    "synthetic": _synthetic,
    "lines": _lines,
    "page": _page,
    "iam": _iam,
    "iam-lines": _iam_lines,
    "emnist": _emnist,
    CORRECTIONS: _corrections,
}


def _fetched(source: Source, data_dir: Path) -> Dataset:
    """A set of pages that was fetched, or a set of lines put in its place."""
    if (data_dir / source.name / INDEX).is_file():
        return LinesDataset(data_dir / source.name)
    return PageDataset(
        _brought(source, data_dir),
        name=f"page/{source.name}",
        licence=source.licence,
        index=source.splits,
        keep=data_dir / KEPT,
        choice=source.choice,
    )


def state_of(source: Source, data_dir: Path) -> Literal["", "cut off", "yes"]:
    """Whether a set is at hand: fetched, or put in its place."""
    folder = data_dir / source.name
    if not folder.is_dir():
        return ""
    begun = any(folder.glob("*.part")) and not folder_of(folder / source.filename).is_dir()
    return "cut off" if begun else "yes"


def _brought(source: Source, data_dir: Path) -> Path:
    """The folder with the files of a set that was fetched, or that were put in its place."""
    folder, state = data_dir / source.name, state_of(source, data_dir)
    if state != "yes":
        what = "was cut off while it was fetched. Go on" if state else "is not there. Bring it"
        raise DatasetError(
            f"'{folder}' {what} ({source.megabytes} MB) with\npython -m trainer fetch {source.name}"
        )
    unpacked = folder_of(folder / source.filename)
    if not unpacked.is_dir():
        return folder
    # the one folder in it has the name of the revision, which the samples need not have
    return next((path for path in sorted(unpacked.iterdir()) if path.is_dir()), unpacked)


def made(data_dir: Path) -> list[Dataset]:
    """Sets of lines that are made here and need no path: EMNIST's only where it was fetched."""
    found: list[Dataset] = [SyntheticDataset()]
    if (data_dir / EMNIST.name).is_dir():
        with suppress(DatasetError):
            found.append(open_dataset(EMNIST.name, data_dir))
    return found


def at_hand(data_dir: Path) -> list[Dataset]:
    """Every real set below `data_dir` that can be opened."""
    found: list[Dataset] = []
    if not data_dir.is_dir():
        return found
    for folder in sorted(data_dir.iterdir()):
        if folder.is_dir() and not folder.name.startswith("."):
            dataset = _whatever(folder, data_dir)
            if dataset is not None:
                found.append(dataset)
    return found


def _whatever(folder: Path, data_dir: Path) -> Dataset | None:
    """A folder opened as what it is; None for a folder of something else.

    Of one that should be a set, and cannot be opened, the log says so.
    """
    sure = (folder / INDEX).is_file() or folder.name in OPEN
    if (folder / INDEX).is_file():
        names = [f"lines:{folder}@1"]
    elif folder.name in OPEN:
        names = [folder.name]
    else:
        # IAM first: it has XML of a kind of its own
        names = [f"iam:{folder}@1", f"page:{folder}@1"]
    for name in names:
        try:
            return open_dataset(name, data_dir)
        except DatasetError as error:
            if sure:
                log.warning("%s is left out: %s", folder, error)
    return None
