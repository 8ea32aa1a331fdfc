"""Lines of whole pages: PAGE XML or ALTO files with their page images."""

import hashlib
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trainer.datasets.base import SPLITS, DatasetError, Sample, Split
from trainer.datasets.page_files import (
    INDEX,
    Assigned,
    Images,
    apart,
    assignments,
    find_index,
    image_size,
    licence_of,
    split_documents,
    visible,
)
from trainer.datasets.page_layout import LayoutError, Line, Page, read_bytes
from trainer.datasets.page_sample import PageSample, folder_of, read_page, scaled

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which lines of a set are taken. What is left out is counted."""

    kinds: Collection[str] = ()
    """Only lines of these kinds; none named takes all."""
    marks: str = ""
    """Lines with one of these characters are left out: editors' marks, which nobody wrote."""
    longest_word: int = 0
    """Lines with a word of more characters are left out: words run together; 0 takes any."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A page file that can be used."""

    xml: Path
    name: PurePosixPath
    """Below the folder of the dataset, without suffix."""
    picture: Path
    pictured: PurePosixPath
    """Likewise, of the image."""
    alone: str | None
    """The image's name without suffix, where no other has it."""
    page: Page
    digest: bytes


class PageDataset:
    """A folder tree with PAGE XML or ALTO files and, in the same tree, their page images.

    Splits are those of a `pages.tsv` in the folder or beside it (page file, split and, when
    known, document, separated by tabs; pages it does not list are left out). Without one, each
    page is a document, and a hash of its name decides.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str | None = None,
        licence: str | None = None,
        index: Path | None = None,
        keep: Path | None = None,
        choice: Choice | None = None,
    ) -> None:
        """Read every XML file below `path` and the headers of their images.

        Args:
            path: the folder, or one XML file.
            index: a `pages.tsv` that lies elsewhere.
            keep: a folder for the lines once they are cut, so that a page is decoded once and
                not once a line; it may be deleted at any time.

        Raises:
            DatasetError: no such folder, a broken `pages.tsv`, or no line that can be used.
        """
        folder = path if path.is_dir() else path.parent
        if not path.exists():
            raise DatasetError(
                f"There is no '{path}'. A `page` dataset is a folder with PAGE XML or ALTO files "
                "and their page images."
            )
        self._folder, self._keep = folder.resolve(), keep
        self.place = self._folder
        self._choice = choice or Choice()
        self._skipped: Counter[str] = Counter()
        index = index or find_index(self._folder)
        found = list(self._pages([path.resolve()] if path.is_file() else self._xml_files()))
        assigned = assignments(index) if index else {}
        # one that lies above may be of other pages
        if index and index.parent == self._folder.parent:
            assigned = assigned if any(_row(assigned, each) for each in found) else {}
        home = index.parent if index and assigned else self._folder
        self.name = name or f"page/{home.name}"
        self.licence = licence or licence_of((home, self._folder), home.name)
        self._samples = self._split(found, assigned)
        if not any(self._samples.values()):
            reasons = ", ".join(f"{count} {reason}" for reason, count in self._skipped.items())
            raise DatasetError(
                f"No line below '{path}' can be used ({reasons or 'there is no XML file'}).\n"
                "A `page` dataset needs PAGE XML or ALTO files with text, and their page images."
            )

    @property
    def skipped(self) -> Mapping[str, int]:
        return self._skipped

    def samples(self, split: Split) -> Sequence[Sample]:
        return self._samples[split]

    def _xml_files(self) -> list[Path]:
        """Those nearest to the top first: of two that are the same, these are kept."""
        files = (path for path in visible(self._folder) if path.suffix.lower() == ".xml")
        return sorted(files, key=lambda path: (len(path.parts), path))

    def _pages(self, files: Iterable[Path]) -> Iterable[_Found]:
        """Usable pages, each image once: exports often hold PAGE and ALTO of the same pages.

        Of two files that claim an image, one with text goes first, then the one that lies nearer.
        """
        digests: set[bytes] = set()
        pictures: set[Path] = set()
        opened = sorted(
            self._opened(files),
            key=lambda each: (
                not any(line.text for line in each.page.lines),
                apart(each.picture, each.xml),
            ),
        )
        for each in opened:
            if each.digest in digests or each.picture in pictures:
                self._leave_out(each.xml, "seen before")
                continue
            digests.add(each.digest)
            pictures.add(each.picture)
            yield each

    def _opened(self, files: Iterable[Path]) -> Iterable[_Found]:
        images = Images(self._folder)
        for xml in files:
            try:
                data = read_bytes(xml)
                page = read_page(data)
                picture = images.find(page.image, xml)
                if picture is None:
                    raise LayoutError("image missing")
                page = scaled(page, *image_size(picture))
            except LayoutError as error:
                self._leave_out(xml, str(error))
                continue
            yield _Found(
                xml,
                self._below(xml.with_suffix("")),
                picture,
                self._below(picture.with_suffix("")),
                picture.stem if images.only(picture) else None,
                page,
                hashlib.sha256(data).digest(),
            )

    def _below(self, path: Path) -> PurePosixPath:
        return PurePosixPath(path.relative_to(self._folder).as_posix())

    def _leave_out(self, xml: Path, reason: str) -> None:
        log.info("%s is left out: %s", xml, reason)
        self._skipped[f"pages: {reason}"] += 1

    def _split(
        self, found: Sequence[_Found], assigned: Mapping[str, Assigned]
    ) -> dict[Split, list[Sample]]:
        hashed = {} if assigned else split_documents(str(each.name) for each in found)
        samples: dict[Split, list[Sample]] = {split: [] for split in SPLITS}
        for each in sorted(found, key=lambda each: each.name):
            document = str(each.name)
            if assigned:
                row = _row(assigned, each)
                if row is None:
                    self._leave_out(each.xml, f"not in {INDEX}")
                    continue
                split, document = row.split, row.document
            else:
                split = hashed[document]
            samples[split] += self._lines(each, document)
        return samples

    def _lines(self, found: _Found, document: str) -> Iterable[PageSample]:
        kept = folder_of(self._keep, found.xml, found.picture) if self._keep else None
        names: Counter[str] = Counter()
        for position, line in enumerate(found.page.lines):
            if fault := self._fault(line):
                self._skipped[f"lines: {fault}"] += 1
                continue
            name = " ".join(line.id.split()) or str(position)
            names[name] += 1
            again = f".{names[name]}" if names[name] > 1 else ""
            yield PageSample(
                id=f"{found.name}/{name}{again}",
                text=line.text,
                document=document,
                xml=found.xml,
                picture=found.picture,
                position=position,
                kept=kept,
            )

    def _fault(self, line: Line) -> str | None:
        if len(set(line.polygon)) < 3 and len(set(line.baseline)) < 2:
            return "neither polygon nor baseline"
        if not line.text:
            return "no text"
        if self._choice.kinds and line.kind not in self._choice.kinds:
            return "of another kind"
        if any(mark in line.text for mark in self._choice.marks):
            return "editors' marks"
        longest = max(map(len, line.text.split()))
        if self._choice.longest_word and longest > self._choice.longest_word:
            return "words run together"
        return None


def _row(assigned: Mapping[str, Assigned], page: _Found) -> Assigned | None:
    """What is told of a page: of its XML file or of its image, by path before by name."""
    names = (page.name, page.pictured)
    keys = (*map(str, names), page.name.name, page.alone or "")
    return next(filter(None, map(assigned.get, keys)), None)
