"""The files of EMNIST, idx or mat, as NIST offers them: single characters of many hands.

Cohen et al. 2017, "EMNIST: an extension of MNIST to handwritten letters", arXiv:1702.05373.
"""

import gzip
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainer.datasets.base import DatasetError

LICENCE = "EMNIST by Cohen et al. (2017), made from NIST Special Database 19 (public domain, USA)"

Part = Literal["train", "test"]
"""As EMNIST itself is divided."""

SIDE = 28

_NAME = re.compile(
    r"emnist-(?P<set>[a-z]+)-(?P<part>train|test)-(?P<kind>images-idx3|labels-idx1)-ubyte(\.gz)?"
)
_PREFERRED = "byclass"  # has every class; the others merge some or leave some out


@dataclass(frozen=True)
class Characters:
    """Images of single characters and what they show.

    `ink` (characters, 28, 28) uint8, upright, 0 none to 255 full; `codes` (characters,) int64,
    the code points; `numbers` (characters,) int64, their places in their part of EMNIST.
    """

    ink: NDArray[np.uint8]
    codes: NDArray[np.int64]
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.codes)

    def chosen(self, places: NDArray[np.int64]) -> "Characters":
        return Characters(self.ink[places], self.codes[places], self.numbers[places])


def read(folder: Path) -> dict[Part, Characters]:
    """What the folder has of EMNIST: `byclass` if it is there, else the first set by name.

    Raises:
        DatasetError: no such files, or one is damaged or does not fit the others.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder '{folder}'.")
    mats = {each.stem.removeprefix("emnist-"): each for each in folder.glob("emnist-*.mat")}
    indexed = {
        (found["set"], found["part"], found["kind"][:6]): each
        for each in sorted(folder.iterdir())
        if (found := _NAME.fullmatch(each.name))
    }
    names = sorted({*mats, *(name for name, _, _ in indexed)})
    if not names:
        raise DatasetError(
            f"'{folder}' has no files of EMNIST: neither emnist-byclass.mat nor "
            "emnist-byclass-train-images-idx3-ubyte.gz and its like. "
            "`python -m trainer fetch emnist` brings them."
        )
    name = _PREFERRED if _PREFERRED in names else names[0]
    parts = _from_mat(mats[name]) if name in mats else _from_idx(folder, name, indexed)
    for part, characters in parts.items():
        if len(characters.ink) != len(characters.codes) or not len(characters):
            raise DatasetError(
                f"The {part} part of EMNIST {name} in '{folder}' has {len(characters.ink)} images "
                f"and {len(characters.codes)} labels."
            )
    return parts


def _from_idx(
    folder: Path, name: str, files: Mapping[tuple[str, str, str], Path]
) -> dict[Part, Characters]:
    classes = _mapping(folder / f"emnist-{name}-mapping.txt")
    parts: dict[Part, Characters] = {}
    both: tuple[Part, Part] = ("train", "test")
    for part in both:
        images, labels = (files.get((name, part, kind)) for kind in ("images", "labels"))
        if images and labels:
            ink = _idx(images, 3)
            if ink.shape[1:] != (SIDE, SIDE):
                raise DatasetError(f"{images.name} holds images of another size than 28 x 28.")
            parts[part] = _characters(ink, _codes(_idx(labels, 1), classes, labels))
        elif images or labels:
            there = (images or labels).name  # type: ignore[union-attr]
            raise DatasetError(f"{there} lies alone: its images or its labels are missing.")
    return parts


def _mapping(file: Path) -> dict[int, int]:
    """Label to code point. A line has the label and its code, of merged classes several."""
    try:
        rows = [line.split() for line in file.read_text("ascii").splitlines() if line.strip()]
        return {int(row[0]): int(row[1]) for row in rows}
    except (OSError, ValueError, IndexError) as error:
        raise DatasetError(f"{file} cannot be read; it says what the labels mean.") from error


def _codes(labels: NDArray[Any], classes: Mapping[int, int], file: Path) -> NDArray[np.int64]:
    try:
        return np.array([classes[int(label)] for label in labels], np.int64)
    except KeyError as error:
        raise DatasetError(f"{file.name} has the label {error}, which the mapping lacks.") from None


def _idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """An array of bytes in the format of MNIST, packed or not."""
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        magic, *shape = struct.unpack_from(f">{1 + dimensions}I", data)
        if magic != 0x800 + dimensions:
            raise ValueError(f"its first bytes are {magic:#x}")
        values = np.frombuffer(data, np.uint8, offset=4 * (1 + dimensions))
        return values.reshape(shape)
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
        raise DatasetError(f"{file} is damaged or no idx file: {error}.") from error


def _from_mat(file: Path) -> dict[Part, Characters]:
    from scipy.io import loadmat

    both: tuple[Part, Part] = ("train", "test")
    try:
        dataset = loadmat(file)["dataset"][0, 0]
        classes = {int(row[0]): int(row[1]) for row in dataset["mapping"]}
        parts: dict[Part, Characters] = {}
        for part in both:
            found = dataset[part][0, 0]
            ink = np.asarray(found["images"], np.uint8).reshape(-1, SIDE, SIDE)
            parts[part] = _characters(ink, _codes(found["labels"].ravel(), classes, file))
        return parts
    except DatasetError:
        raise
    except Exception as error:  # scipy's reader raises nearly anything on a damaged file
        raise DatasetError(f"{file} is damaged or not EMNIST's: {error}.") from error


def _characters(ink: NDArray[np.uint8], codes: NDArray[np.int64]) -> Characters:
    """Of images as EMNIST has them, which lie column by column."""
    upright = np.ascontiguousarray(ink.transpose(0, 2, 1))
    return Characters(upright, codes, np.arange(len(codes)))
