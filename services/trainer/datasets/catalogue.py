"""Data sources by name, as the command line and the settings write them."""

from collections.abc import Callable
from pathlib import Path

from trainer.datasets.base import Dataset, DatasetError
from trainer.datasets.iam import IamDataset
from trainer.datasets.lines import INDEX, LinesDataset
from trainer.datasets.synthetic import SyntheticDataset

FORMS = {
    "synthetic": "synthetic[:LINES]  words and lines in handwriting fonts, LINES to train on",
    "lines": f"lines:PATH  a folder with {INDEX} (image, split, text, document; tabs)",
    "iam": "iam[:PATH]  IAM words, from a folder or an archive; without PATH what "
    "`trainer fetch iam` brought",
    "iam-lines": "iam-lines[:PATH]  IAM lines, likewise",
}


def open_dataset(name: str, data_dir: Path) -> Dataset:
    """Open a data source.

    Args:
        name: one of `FORMS`.
        data_dir: where fetched sets lie.

    Raises:
        DatasetError: no such source, or it cannot be opened; the message says what to do.
    """
    kind, _, argument = name.partition(":")
    opener = _OPENERS.get(kind)
    if opener is None:
        known = "\n  ".join(FORMS.values())
        raise DatasetError(f"There is no dataset {kind!r}. Known are:\n  {known}")
    return opener(argument, data_dir)


def _synthetic(argument: str, data_dir: Path) -> Dataset:
    if not argument:
        return SyntheticDataset()
    if not argument.isdecimal():
        raise DatasetError(f"synthetic:{argument}: write a number of lines, as in synthetic:5000.")
    return SyntheticDataset(train=int(argument))


def _lines(argument: str, data_dir: Path) -> Dataset:
    if not argument:
        raise DatasetError(f"Name the folder with {INDEX}: lines:PATH")
    return LinesDataset(Path(argument))


def _iam(argument: str, data_dir: Path) -> Dataset:
    return IamDataset(Path(argument) if argument else data_dir / "iam", level="word")


def _iam_lines(argument: str, data_dir: Path) -> Dataset:
    return IamDataset(Path(argument) if argument else data_dir / "iam", level="line")


_OPENERS: dict[str, Callable[[str, Path], Dataset]] = {
    "synthetic": _synthetic,
    "lines": _lines,
    "iam": _iam,
    "iam-lines": _iam_lines,
}


def at_hand(data_dir: Path) -> list[Dataset]:
    """Every real set below `data_dir` that can be opened."""
    found: list[Dataset] = []
    if not data_dir.is_dir():
        return found
    for folder in sorted(path for path in data_dir.iterdir() if path.is_dir()):
        name = f"lines:{folder}" if (folder / INDEX).is_file() else f"iam:{folder}"
        try:
            found.append(open_dataset(name, data_dir))
        except DatasetError:
            continue  # a folder of something else
    return found
