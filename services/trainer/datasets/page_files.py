"""What lies beside page files: their images, their splits, their licence."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from PIL import Image

from trainer.datasets import licence
from trainer.datasets.base import SPLITS, DatasetError, Split
from trainer.datasets.hashed import share_of, split_of
from trainer.datasets.page_layout import LayoutError

INDEX = "pages.tsv"
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif"})

_ORIENTATION = 0x0112  # EXIF


class Images:
    """The page images of a folder tree, found by name whatever suffix or folder they moved to."""

    def __init__(self, root: Path) -> None:
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[Path]] = defaultdict(list)
        for path in visible(root):
            if path.suffix.lower() in SUFFIXES:
                self._by_name[path.name.lower()].append(path)
                self._by_stem[path.stem.lower()].append(path)

    def find(self, named: str, xml: Path) -> Path | None:
        """The image that an XML file names, else one named like the XML file; nearest first."""
        # a path of the machine that exported it, or an address: the last part is what counts
        name = unquote(PurePosixPath(named.replace("\\", "/")).name).lower()
        stem, own = PurePosixPath(name).stem, xml.stem.lower()
        for known, wanted in (
            (self._by_name, name),
            (self._by_stem, stem),
            (self._by_stem, own),
            (self._by_name, own),  # 0001.jpg.xml
        ):
            if wanted and (found := known.get(wanted)):
                return min(found, key=lambda path: (apart(path, xml), path))
        return None

    def only(self, picture: Path) -> bool:
        """Whether no image in another folder has this name."""
        return len({path.parent for path in self._by_stem[picture.stem.lower()]}) == 1


def apart(one: Path, other: Path) -> int:
    """Steps from the folder of one file to that of another."""
    first, second = one.parent.parts, other.parent.parts
    shared = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        shared += 1
    return len(first) + len(second) - 2 * shared


def visible(root: Path) -> Iterable[Path]:
    """Files below a folder in a fixed order, without hidden ones and what macOS adds to zips."""
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if not any(part.startswith(".") or part == "__MACOSX" for part in parts) and path.is_file():
            yield path


def image_size(path: Path) -> tuple[int, int]:
    """Width and height as they are once the image is upright; reads its header alone.

    Raises:
        LayoutError: it is no image.
    """
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            # Pillow tells the size of a TIFF as it is once upright
            lies = picture.format != "TIFF"
            turned = lies and picture.getexif().get(_ORIENTATION, 1) >= 5
    except Exception as error:  # Pillow's readers raise nearly any exception on a damaged header
        raise LayoutError("image that cannot be read") from error
    return (height, width) if turned else (width, height)


@dataclass(frozen=True, slots=True)
class Assigned:
    """Where a page belongs, as `pages.tsv` has it."""

    split: Split
    document: str


def assignments(index: Path) -> dict[str, Assigned]:
    """Rows of a `pages.tsv`: page file (image or XML), split and, when known, document.

    Returns:
        Path of the page without its suffix -> where it belongs.

    Raises:
        DatasetError: it cannot be read, or a row has no split.
    """
    try:
        rows = index.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{index} cannot be read as UTF-8 text: {error}.") from error
    found: dict[str, Assigned] = {}
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        cells = [cell.strip() for cell in row.split("\t")]
        split = next((each for each in SPLITS if each in cells[1:2]), None)
        if split is None:
            raise DatasetError(
                f"{index}, row {number}: it needs a page file, a split ({', '.join(SPLITS)}) and, "
                "if known, a document, separated by tabs."
            )
        page = _without_suffix(cells[0])
        found[page] = Assigned(split, cells[2] if len(cells) > 2 and cells[2] else page)
    return found


def _without_suffix(page: str) -> str:
    suffix = PurePosixPath(page).suffix
    return page.removesuffix(suffix) if suffix.lower() in {*SUFFIXES, ".xml"} else page


def find_index(folder: Path) -> Path | None:
    """`pages.tsv` in the folder or, as where pages lie in `pages/`, beside it."""
    for home in (folder, folder.parent):
        if (home / INDEX).is_file():
            return home / INDEX
    return None


def split_documents(documents: Iterable[str]) -> Mapping[str, Split]:
    """A split for each document by a hash of its name, about 80, 10 and 10 in 100.

    Further documents move none of these, except that of two or more one is always there to
    validate on, and of three or more one to test on: those nearest to it by their hash.
    """
    order = sorted(set(documents), key=share_of)
    found = {document: split_of(document) for document in order}
    if len(order) >= 2 and "val" not in found.values():
        found[order[0]] = "val"
    if len(order) >= 3 and "test" not in found.values():
        found[order[-1]] = "test"
    if len(order) >= 2 and "train" not in found.values():
        found[order[len(order) // 2]] = "train"
    return found


def licence_of(folders: Iterable[Path], name: str) -> str:
    """What is stated in the first LICENSE.md in these folders, for the model card."""
    found = filter(None, map(licence.stated, folders))
    return next(found, f"{name}: licence not stated")
