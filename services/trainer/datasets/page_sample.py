"""One line of a page as a sample: cut when it is first asked for, with all others of its page."""

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image

from recognizer import image
from recognizer.course import CutError
from recognizer.cut import Reach, cut, usual_reach
from recognizer.errors import UnreadableImageError
from recognizer.image import Gray
from recognizer.layout import Points
from trainer.datasets import alto, page_xml
from trainer.datasets.page_layout import LayoutError, Page, parse_xml, read_bytes

MAX_PIXELS = 250_000_000  # of a scan: whoever trains on it chose it
SHAPE_TOLERANCE = 0.03

_EDITION = "3"  # of the way lines are cut: those kept by another are cut anew
_PAGES_IN_MEMORY = 4


@dataclass(frozen=True, slots=True)
class PageSample:
    """A line of a page. Small, as it is sent to worker processes."""

    id: str
    text: str
    document: str
    xml: Path
    picture: Path
    position: int
    """Of the line among all those of its page."""
    kept: Path | None
    """Where the lines of this page are kept once they are cut; None keeps none."""

    def image(self) -> Gray:
        """See `Sample.image`. The first line asked for has its whole page cut and kept."""
        try:
            return self._image()
        except (CutError, LayoutError) as error:
            raise UnreadableImageError(str(error)) from error

    def _image(self) -> Gray:
        if self.kept is None:
            return self._cut()
        file = self.kept / f"{self.position}.png"
        if not _is_there(self.kept):
            with _turn(self.kept):  # threads that read one page's lines at once cut it once
                if not _is_there(self.kept):
                    keep_lines(self.xml, self.picture, self.kept)
        with suppress(OSError), Image.open(file) as kept:
            return np.asarray(kept, np.uint8)
        return self._cut()

    def _cut(self) -> Gray:
        page, pixels, usual = _opened(self.xml, self.picture)
        return cut(pixels, page.lines[self.position], usual).pixels


def read_page(data: bytes) -> Page:
    """A page from the bytes of its PAGE XML or ALTO file. Raises `LayoutError`."""
    root = parse_xml(data)
    name = str(root.tag).rpartition("}")[2]
    if name == page_xml.ROOT:
        return page_xml.read_page_xml(root)
    if name == alto.ROOT:
        return alto.read_alto(root)
    raise LayoutError("XML that is neither PAGE nor ALTO")


def scaled(page: Page, width: int, height: int) -> Page:
    """The page in pixels of its image, which may be smaller than what was transcribed.

    Raises:
        LayoutError: the image has another shape, so that nothing would lie where it should.
    """
    if not page.width or not page.height:
        return page
    across, down = width / page.width, height / page.height
    if abs(across / down - 1) > SHAPE_TOLERANCE:
        raise LayoutError("image of another shape than its XML says")
    if across == down == 1:
        return page

    def moved(points: Points) -> Points:
        return tuple((x * across, y * down) for x, y in points)

    lines = (
        replace(line, polygon=moved(line.polygon), baseline=moved(line.baseline))
        for line in page.lines
    )
    return replace(page, width=width, height=height, lines=tuple(lines))


def folder_of(keep: Path, xml: Path, picture: Path) -> Path:
    """The folder below `keep` for the lines of a page: another when a file of it has changed."""
    parts = [_EDITION]
    for path in (xml, picture):
        stat = path.stat()
        parts += [str(path.resolve()), str(stat.st_size), str(stat.st_mtime_ns)]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    return keep / digest[:2] / digest[2:]


def keep_lines(xml: Path, picture: Path, kept: Path) -> None:
    """Cut all lines of a page into a folder, which appears whole or not at all.

    Where it cannot be written nothing is kept; where another process was quicker its is.

    Raises:
        ImageError, LayoutError, OSError: the page cannot be opened.
    """
    page, pixels, usual = _opened(xml, picture)
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".cutting-", dir=kept.parent))
        try:
            for position, line in enumerate(page.lines):
                with suppress(CutError):
                    file = fresh / f"{position}.png"
                    Image.fromarray(cut(pixels, line, usual).pixels).save(file, compress_level=3)
            fresh.chmod(0o755)  # whoever shares the data reads them, too
            os.rename(fresh, kept)  # noqa: PTH104  onto an existing folder it must fail
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _is_there(kept: Path) -> bool:
    """Also where it is closed to this user: then its lines are cut and not kept."""
    try:
        return kept.exists()
    except OSError:
        return True


@lru_cache(maxsize=64)
def _turn(kept: Path) -> Lock:
    """Held while a page is cut by this process."""
    return Lock()


def _opened(xml: Path, picture: Path) -> tuple[Page, Gray, Reach]:
    stamps = tuple(path.stat().st_mtime_ns for path in (xml, picture))
    return _open(xml, picture, stamps)


@lru_cache(maxsize=_PAGES_IN_MEMORY)
def _open(xml: Path, picture: Path, stamps: tuple[int, ...]) -> tuple[Page, Gray, Reach]:
    """A page in pixels, its image, and the usual reach of its letters; the last few are kept."""
    pixels = image.decode(picture.read_bytes(), max_pixels=MAX_PIXELS)
    height, width = pixels.shape
    page = scaled(read_page(read_bytes(xml)), width, height)
    return page, pixels, usual_reach(page.lines, height)
