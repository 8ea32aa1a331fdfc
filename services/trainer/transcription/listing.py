"""Which images a corpus has, found while the first of them are read already."""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fsspec.utils import glob_translate
from pyarrow import fs

from trainer.datasets.page_files import SUFFIXES
from trainer.transcription.address import absolute, opened

log = logging.getLogger(__name__)

_WILD = re.compile(r"[*?\[]")
# of a folder, everything that is an image by its name, at any depth
_IMAGES = rf"(?:.*/)?[^/]*\.(?i:{'|'.join(suffix[1:] for suffix in sorted(SUFFIXES))})"


class ListingError(Exception):
    """There is nothing where images were named; the message is for the user."""


@dataclass(frozen=True)
class _Tree:
    """Files below a folder whose names relative to it are of a form."""

    root: str
    form: re.Pattern[str]
    depth: float
    """How many folders further down they may lie."""

    def __contains__(self, name: str) -> bool:
        return name.startswith(f"{self.root}/") and self._has(name)

    def __iter__(self) -> Iterator[str]:
        return filter(self._has, _walk(self.root, self.depth))

    def _has(self, name: str) -> bool:
        return bool(self.form.fullmatch(name, len(self.root) + 1))


class Listing:
    """Images named by files, folders and glob patterns, of this machine or of buckets.

    Iterating gives each image once, as an absolute path or an address, whichever of the names
    it is found by. Nothing but the files that were named one by one is held in memory.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Look at what is named.

        Args:
            names: files; folders, of which all images at any depth are taken, but for hidden
                ones; patterns with `*`, `?`, `[...]` and, for any folders, `**`.

        Raises:
            ListingError: there is no such file, folder or bucket.
        """
        # a dictionary, as it keeps their order
        self._files: dict[str, None] = {}
        self._trees: list[_Tree] = []
        for name in map(absolute, names):
            try:
                system, path = opened(name)
                kind = system.get_file_info(path).type
                if kind == fs.FileType.NotFound and not _WILD.search(name):
                    raise ListingError(f"There is no {name}.")
                if kind == fs.FileType.Directory:
                    self._trees.append(_Tree(name.rstrip("/"), re.compile(_IMAGES), float("inf")))
                elif kind == fs.FileType.NotFound:
                    self._trees.append(_pattern(name))
                else:
                    self._files[name] = None
            except (OSError, ValueError) as error:
                raise ListingError(f"{name} cannot be opened: {error}") from error

    def __iter__(self) -> Iterator[str]:
        """Raises `ListingError` where a folder can no longer be listed."""
        yield from self._files
        for number, tree in enumerate(self._trees):
            earlier = self._trees[:number]
            try:
                for name in tree:
                    if name not in self._files and not any(name in each for each in earlier):
                        yield name
            except OSError as error:
                raise ListingError(f"{tree.root} cannot be listed: {error}") from error


def _pattern(name: str) -> _Tree:
    """Raises `ValueError` where `**` is not a whole folder."""
    fixed = name[: _WILD.search(name).start()].rpartition("/")[0]  # type: ignore[union-attr]
    below = name[len(fixed) + 1 :]
    depth = float("inf") if "**" in below else below.count("/")
    return _Tree(fixed, re.compile(glob_translate(below)), depth)


def _walk(folder: str, depth: float) -> Iterator[str]:
    """Files of a folder and of those below it, but for hidden ones and what macOS adds to zips."""
    folders = []
    try:
        for name, is_folder in _entries(folder):
            if name.startswith(".") or name == "__MACOSX":
                continue
            if is_folder:
                folders.append(name)
            else:
                yield f"{folder}/{name}"
    except (FileNotFoundError, PermissionError) as error:
        log.warning("%s is left out: %s", folder, error.strerror or error)
    if depth:
        for name in sorted(folders):
            yield from _walk(f"{folder}/{name}", depth - 1)


def _entries(folder: str) -> Iterator[tuple[str, bool]]:
    """Name and whether it is a folder. A link to a folder is neither: it may lead back."""
    system, path = opened(folder)
    if isinstance(system, fs.LocalFileSystem):
        # unlike the other, it does not keep a million names before it gives the first
        with os.scandir(path or "/") as found:
            for each in found:
                is_folder = each.is_dir(follow_symlinks=False)
                if is_folder or each.is_file():
                    yield absolute(each.path).rpartition("/")[2], is_folder
        return
    for info in system.get_file_info(fs.FileSelector(path)):
        yield info.base_name, info.type == fs.FileType.Directory
