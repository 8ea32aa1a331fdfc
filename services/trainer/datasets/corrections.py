"""What people corrected on the web page, as lines to train on."""

import atexit
import logging
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from PIL import Image

from corrections.errors import StoreError
from corrections.record import CorrectedLine, Record
from corrections.store import Store
from recognizer import image
from recognizer.course import CutError
from recognizer.cut import cut, usual_reach
from recognizer.errors import ImageError
from recognizer.image import Gray
from recognizer.layout import Line
from recognizer.placing import corners
from trainer.datasets.base import (
    SPLITS,
    Dataset,
    DatasetError,
    FileSample,
    Sample,
    Split,
    unwrapped,
)
from trainer.datasets.hashed import split_of
from trainer.datasets.page_sample import MAX_PIXELS

log = logging.getLogger(__name__)

NAME = "corrections"

VAL_SHARE = 0.2
"""Of the documents; there are few of them, and the gate needs some."""


@dataclass
class _Image:
    """What all corrections of an image come to."""

    document: str
    """What it was said to be of, the last time it was said; until then itself."""
    record: Record | None = None
    """The last of them."""
    lines: dict[tuple[int, ...], tuple[str, CorrectedLine]] = field(default_factory=dict)
    """Box of a line -> what it was taken for, a part of a page or not, and its last correction."""


class CorrectionsDataset:
    """Corrected lines, each cut out of its image much as it is when the image is read.

    A document, as whoever corrected called it, is in one split, and so is an image of no named
    document. A hash of its name alone decides which, so that what was learnt from once never judges
    later, whatever is added or deleted; of few documents there may be none to judge by. Where a
    line was corrected more than once the last time counts.
    """

    licence = "corrections by users of this service, whose handwriting is theirs: not to be shared"

    def __init__(self, location: str, name: str = NAME) -> None:
        """Read all corrections at a place. See `corrections.store.Store`.

        Raises:
            DatasetError: it cannot be read, or there is nothing in it.
        """
        self.name = name
        self._skipped: Counter[str] = Counter()
        self._folder = _own_folder()
        try:
            store = Store(location)
            images = self._images(store)
        except StoreError as error:
            raise DatasetError(str(error)) from error
        self._samples: dict[Split, list[Sample]] = {split: [] for split in SPLITS}
        for digest in sorted(images):
            found = images[digest]
            self._samples[split_of(found.document, val_share=VAL_SHARE)] += self._cut(store, found)
        if not any(self._samples.values()):
            raise DatasetError(
                f"There are no corrections in '{location}' yet. People save them on the page of "
                "the API, which keeps them where its CORRECTIONS_DIR says."
            )

    @property
    def skipped(self) -> Mapping[str, int]:
        return self._skipped

    def samples(self, split: Split) -> Sequence[Sample]:
        return self._samples[split]

    def _images(self, store: Store) -> dict[str, _Image]:
        """Digest of an image -> its lines as they were corrected last."""
        records = []
        for entry in store.entries():
            try:
                records.append(store.read(entry.id).record)
            except StoreError as error:
                log.warning("%s", error)
                self._skipped["damaged"] += 1
        found: dict[str, _Image] = {}
        for record in sorted(records, key=lambda record: record.saved_at):
            known = found.setdefault(record.image, _Image(record.image[:16]))
            known.record = record
            known.document = record.document or known.document
            known.lines |= {line.box: (record.level, line) for line in record.lines}
        return found

    def _cut(self, store: Store, found: _Image) -> Iterator[FileSample]:
        """The lines of one image."""
        assert found.record
        try:
            pixels = image.decode(store.read(found.record.id).image, max_pixels=MAX_PIXELS)
        except (ImageError, StoreError) as error:
            log.warning("%s", error)
            self._skipped["image that cannot be read"] += len(found.lines)
            return
        usual = usual_reach([_on_page(line) for _, line in found.lines.values()], pixels.shape[0])
        for box, (level, line) in found.lines.items():
            if not line.text:
                self._skipped["no text"] += 1
                continue
            left, top, right, bottom = box
            strip: Gray = pixels[top:bottom, left:right]
            if level == "page":
                try:
                    strip = cut(pixels, _on_page(line), usual).pixels
                except CutError:
                    self._skipped["cannot be cut out"] += 1
                    continue
            name = f"{found.record.image[:16]}-{'-'.join(map(str, box))}"
            file = self._folder / f"{name}.png"
            Image.fromarray(strip).save(file, compress_level=3)
            yield FileSample(name, line.text, found.document, file)


def is_corrections(dataset: Dataset) -> bool:
    """Whether its lines are corrections, however it is wrapped."""
    return isinstance(unwrapped(dataset), CorrectionsDataset)


def _on_page(line: CorrectedLine) -> Line:
    return Line(tuple(line.polygon or corners(line.box)), tuple(line.baseline or ()))


def _own_folder() -> Path:
    """A folder for cut lines, gone with this process.

    Handwriting is personal: what is deleted must not stay behind in a cache. What processes that
    were killed have left is removed by the next.
    """
    home = Path(tempfile.gettempdir())
    for left in home.glob("corrections-*-*"):
        number = left.name.split("-")[1]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"corrections-{os.getpid()}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
