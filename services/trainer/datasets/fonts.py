"""Handwriting fonts, from installed Python packages; each split writes with its own."""

from functools import cache, lru_cache
from pathlib import Path

import fontpkg
from fontpkg import FamilyNotInstalled
from PIL import ImageFont

from trainer.datasets.base import DatasetError, Split

FAMILIES: dict[Split, tuple[str, ...]] = {
    "train": (
        "caveat",
        "dancing-script",
        "delius",
        "great-vibes",
        "indie-flower",
        "shadows-into-light",
        "yellowtail",
        "zeyada",
    ),
    "val": ("kalam",),
    "test": ("satisfy",),
}


@cache
def files(split: Split) -> tuple[Path, ...]:
    """Font files of a split. Raises `DatasetError` where a package is missing."""
    found: list[Path] = []
    for name in FAMILIES[split]:
        try:
            family = fontpkg.family(name)
        except FamilyNotInstalled:
            raise DatasetError(
                f"The font package fontpkg-{name} is not installed; "
                "install services/trainer/requirements.txt."
            ) from None
        found += [file.path for file in family.files]
    return tuple(sorted(found))


@lru_cache(maxsize=64)
def load(file: Path, size: int) -> ImageFont.FreeTypeFont:
    """A font at a size in pixels of its em square."""
    return ImageFont.truetype(str(file), size)
