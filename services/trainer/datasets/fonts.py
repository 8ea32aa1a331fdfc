"""Handwriting fonts, from installed Python packages or a folder; each split has its own."""

from functools import cache, lru_cache
from pathlib import Path

import fontpkg
from fontpkg import FamilyNotInstalled
from fontTools.ttLib import TTFont
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
SUFFIXES = (".ttf", ".otf", ".woff")
# what a font must have to be written with at all
LEAST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,")


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


def in_folder(folder: Path) -> tuple[Path, ...]:
    """Fonts below a folder to train with besides the packaged ones.

    Fonts that lack plain letters or digits are left out, and those of the families that
    validation and test are written with.

    Raises:
        DatasetError: there is no font to write with.
    """
    kept = {*FAMILIES["val"], *FAMILIES["test"]}
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and not any(path.stem.lower().startswith(name) for name in kept)
        and characters(path) >= LEAST
    ]
    if not found:
        raise DatasetError(
            f"'{folder}' holds no font to write with (files ending in {', '.join(SUFFIXES)})."
        )
    return tuple(found)


@lru_cache(maxsize=1024)
def characters(file: Path) -> frozenset[str]:
    """What a font can draw. An unreadable font can draw nothing."""
    try:
        with file.open("rb") as data, TTFont(data, lazy=True) as font:
            return frozenset(map(chr, font.getBestCmap() or {}))
    except Exception:  # whatever a broken font makes fontTools raise
        return frozenset()


@lru_cache(maxsize=256)
def load(file: Path, size: int) -> ImageFont.FreeTypeFont:
    """A font at a size in pixels of its em square."""
    return ImageFont.truetype(str(file), size)
