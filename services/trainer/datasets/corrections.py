"""What people corrected on the web page, as lines to train on."""

import atexit
import logging
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
from trainer.datasets.base import SPLITS, Dataset, DatasetError, FileSample, Sample, Split, Wrapping
from trainer.datasets.page_files import split_documents

log = logging.getLogger(__name__)

NAME = "corrections"


@dataclass(frozen=True, slots=True)
class _Corrected:
    """A line, and the last correction that it is in."""

    line: CorrectedLine
    record: Record

    @property
    def on_page(self) -> Line:
        polygon = self.line.polygon or corners(self.line.box)
        return Line(tuple(polygon), tuple(self.line.baseline or ()))


class CorrectionsDataset:
    """Corrected lines, each cut out of its image as it is when the image is read.

    A document, as whoever corrected called it, is in one split, and so is an image of no named
    document; a hash of its name decides which. Where a line was corrected more than once the last
    time counts.
    """

    name = NAME
    licence = (
        "corrections by users of this service, of handwriting that is theirs: not to be shared"
    )

    def __init__(self, location: str) -> None:
        """Read all corrections at a place. See `corrections.store.Store`.

        Raises:
            DatasetError: it cannot be read, or there is nothing in it.
        """
        self._skipped: Counter[str] = Counter()
        # handwriting is personal: what is deleted must not stay behind in a cache
        self._folder = Path(tempfile.mkdtemp(prefix="corrections-"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        try:
            store = Store(location)
            images = self._images(store)
        except StoreError as error:
            raise DatasetError(str(error)) from error
        documents = {digest: _document(lines) for digest, lines in images.items()}
        splits = split_documents(documents.values())
        self._samples: dict[Split, list[Sample]] = {split: [] for split in SPLITS}
        for digest, lines in sorted(images.items()):
            document = documents[digest]
            self._samples[splits[document]] += self._cut(store, lines, document)
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

    def _images(self, store: Store) -> dict[str, list[_Corrected]]:
        """Digest of an image -> its lines as they were corrected last."""
        found: dict[str, dict[tuple[int, ...], _Corrected]] = defaultdict(dict)
        for entry in reversed(store.entries()):
            try:
                record = store.read(entry.id).record
            except StoreError as error:
                log.warning("%s", error)
                self._skipped["damaged"] += 1
                continue
            for line in record.lines:
                found[record.image][line.box] = _Corrected(line, record)
        return {digest: list(lines.values()) for digest, lines in found.items()}

    def _cut(
        self, store: Store, lines: Sequence[_Corrected], document: str
    ) -> Iterator[FileSample]:
        """The lines of one image."""
        record = lines[0].record
        try:
            pixels = image.decode(store.read(record.id).image)
        except (ImageError, StoreError) as error:
            log.warning("%s", error)
            self._skipped["image that cannot be read"] += len(lines)
            return
        usual = usual_reach([each.on_page for each in lines], pixels.shape[0])
        for each in lines:
            if not each.line.text:
                self._skipped["no text"] += 1
                continue
            strip: Gray = pixels
            if each.record.level == "page":
                try:
                    strip = cut(pixels, each.on_page, usual).pixels
                except CutError:
                    self._skipped["cannot be cut out"] += 1
                    continue
            name = f"{record.image[:16]}-{'-'.join(map(str, each.line.box))}"
            file = self._folder / f"{name}.png"
            Image.fromarray(strip).save(file, compress_level=3)
            yield FileSample(name, each.line.text, document, file)


def is_corrections(dataset: Dataset) -> bool:
    """Whether its lines are corrections, however it is wrapped."""
    while isinstance(dataset, Wrapping):
        dataset = dataset.dataset
    return isinstance(dataset, CorrectionsDataset)


def _document(lines: Sequence[_Corrected]) -> str:
    """What the image was said to be of, the last time it was said."""
    named = [each.record for each in lines if each.record.document]
    if not named:
        return lines[0].record.image[:16]
    return str(max(named, key=lambda record: record.saved_at).document)
