"""Line or word images listed in a TSV file: image, split, text and, when known, document."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from recognizer.alphabet import normalise
from trainer.datasets import licence
from trainer.datasets.base import SPLITS, DatasetError, FileSample, Sample, Split

INDEX = "lines.tsv"


class LinesDataset:
    """A folder with `lines.tsv` (or the path of another TSV file) and the images it names.

    Each row is `image <TAB> split <TAB> text`, with a fourth column `document` when it is
    known; UTF-8, no header; paths are relative to the TSV file; split is train, val or test.
    """

    def __init__(self, path: Path) -> None:
        """Read the index.

        Raises:
            DatasetError: no index there, or nothing in it can be used.
        """
        index = (path / INDEX if path.is_dir() else path).resolve()
        if not index.is_file():
            raise DatasetError(
                f"There is no {index}. A `lines` dataset is a folder with {INDEX}: "
                "image, split (train, val, test) and text, separated by tabs."
            )
        self.place = index.parent if index.name == INDEX else index
        self.name = f"lines/{index.parent.name}"
        self.licence = licence.stated(index.parent) or f"{index.parent.name}: licence not stated"
        self._skipped: Counter[str] = Counter()
        self._samples: dict[Split, list[Sample]] = {split: [] for split in SPLITS}
        try:
            # a byte order mark is no part of the first name, nor is U+2028 the end of a row
            rows = index.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"{index} cannot be read as UTF-8 text: {error}.") from error
        for row in rows:
            self._add(row.split("\t"), index.parent)
        if not any(self._samples.values()):
            raise DatasetError(
                f"Nothing in {index} can be used ({dict(self._skipped)}). "
                "Each row needs: image, split (train, val, test), text, separated by tabs."
            )

    @property
    def skipped(self) -> Mapping[str, int]:
        return self._skipped

    def samples(self, split: Split) -> Sequence[Sample]:
        return self._samples[split]

    def _add(self, cells: list[str], folder: Path) -> None:
        if len(cells) < 3:
            self._skipped["row without three columns"] += 1
            return
        file, split, text = cells[0], cells[1], normalise(cells[2])
        if split not in SPLITS:
            self._skipped[f"unknown split {split!r}"] += 1
        elif not text:
            self._skipped["empty text"] += 1
        elif not _is_file(folder / file):
            self._skipped["missing image"] += 1
        else:
            document = (cells[3].strip() if len(cells) > 3 else "") or file
            self._samples[split].append(FileSample(file, text, document, folder / file))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for a file: the columns are mixed up
        return False
