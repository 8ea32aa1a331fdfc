"""What a data source is: named splits of samples, each an image with its text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from recognizer import image
from recognizer.image import Gray

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

Level = Literal["word", "line"]


class DatasetError(Exception):
    """A data source cannot be opened; the message says what to do."""


class Sample(Protocol):
    """One image with its text. Picklable, so that worker processes can read it."""

    @property
    def id(self) -> str:
        """Stable within the dataset; the split lists of a run are written with it."""

    @property
    def text(self) -> str: ...

    @property
    def document(self) -> str:
        """Writer, form or letter: what never straddles two splits."""

    def image(self) -> Gray:
        """Raises `recognizer.errors.ImageError` or `OSError` when the file is missing or broken."""


@dataclass(frozen=True, slots=True)
class FileSample:
    """A sample whose image is a file."""

    id: str
    text: str
    document: str
    path: Path

    def image(self) -> Gray:
        return image.decode(self.path.read_bytes())


class Dataset(Protocol):
    """A source of handwriting with fixed splits."""

    @property
    def name(self) -> str:
        """Short and unique among the sources of one run, such as `lines/hooker`."""

    @property
    def licence(self) -> str:
        """One line for the model card: whose data, under which licence."""

    @property
    def skipped(self) -> Mapping[str, int]:
        """Reason -> how many entries were left out while the dataset was opened."""

    def samples(self, split: Split) -> Sequence[Sample]: ...


class Wrapping:
    """A dataset that is another one but for its samples, or for how often they are drawn."""

    dataset: Dataset

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def licence(self) -> str:
        return self.dataset.licence

    @property
    def skipped(self) -> Mapping[str, int]:
        return self.dataset.skipped


class Made:
    """A dataset whose samples are made for each split, of parts that no other split has."""

    _samples: Mapping[Split, Sequence[Sample]]

    @property
    def skipped(self) -> Mapping[str, int]:
        return {}

    def samples(self, split: Split) -> Sequence[Sample]:
        return self._samples[split]


def unwrapped(dataset: Dataset) -> Dataset:
    """The dataset below all wrappings."""
    while isinstance(dataset, Wrapping):
        dataset = dataset.dataset
    return dataset


def comes_of(dataset: Dataset, names: Iterable[str]) -> bool:
    """Whether any of it was packed from sets of these names, or cut out of their lines as words.

    Its documents tell: `trainer pack` and `trainer words` write them behind the name of their set,
    as `lines/hooker/words/JDH_2_16`.
    """
    documents = {f"/{sample.document}" for split in SPLITS for sample in dataset.samples(split)}
    return any(f"/{name}/" in document for name in names for document in documents)


def check_names(datasets: Iterable[Dataset]) -> None:
    """Raises `DatasetError` where two have one name: figures, lists and files are kept by it."""
    known: dict[str, Dataset] = {}
    for dataset in datasets:
        if dataset.name in known:
            both = " and ".join(map(_placed, (known[dataset.name], dataset)))
            raise DatasetError(
                f"Two sources have the same name: {both}. What is found out about a source is "
                "kept by its name: rename the folder of one of the two, or leave one out."
            )
        known[dataset.name] = dataset


def _placed(dataset: Dataset) -> str:
    """Its name and, where it lies somewhere, where: `lines/export (2023/export)`."""
    place = getattr(unwrapped(dataset), "place", None)
    return f"{dataset.name} ({place})" if place else dataset.name


def is_made(dataset: Dataset) -> bool:
    """Whether its lines were made here, so that no figure on them is one on handwriting."""
    return isinstance(unwrapped(dataset), Made)
