"""Datasets made small, to be carried to another machine: a `lines` folder of WebP images."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from recognizer.errors import ImageError
from recognizer.image import Gray
from trainer.datasets.base import (
    SPLITS,
    Dataset,
    DatasetError,
    Sample,
    Split,
    check_names,
    is_made,
)
from trainer.datasets.lines import INDEX

QUALITY = 40  # of WebP: the strokes of a line keep their shape, the grain of its paper goes


def pack(
    datasets: Sequence[Dataset],
    folder: Path,
    *,
    height: int,
    splits: tuple[Split, ...] = SPLITS,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[int, int]:
    """Write datasets as one `lines` folder of images `height` pixels high.

    Args:
        folder: made if needed; it must be empty.
        splits: what to take; leave `test` out where it must not be trained on by mistake.
        progress: told how many samples are done.

    Returns:
        How many samples were packed, and how many images could not be read.

    Raises:
        DatasetError: the folder holds something, or cannot be written; or see `check_sources`.
    """
    refuse_used(folder)
    check_sources(datasets)
    rows: list[str] = []
    skipped = 0
    try:
        with ThreadPoolExecutor() as pool:
            for dataset in datasets:
                home = folder / dataset.name.replace("/", "-")
                home.mkdir(parents=True)
                for split in splits:
                    samples = dataset.samples(split)
                    small = pool.map(lambda sample: _small(sample, height), samples)
                    for number, (sample, data) in enumerate(zip(samples, small, strict=True)):
                        if data is None:
                            skipped += 1
                            continue
                        file = home / f"{split}-{number:06d}.webp"
                        file.write_bytes(data)
                        rows.append(_row(file.relative_to(folder), split, sample, dataset))
                        progress(len(rows))
        (folder / INDEX).write_text("\n".join([*rows, ""]), encoding="utf-8")
        (folder / "LICENSE.md").write_text(_licences(datasets), encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"Cannot write to '{folder}': {error.strerror or error}.") from error
    return len(rows), skipped


def refuse_used(folder: Path) -> None:
    """Raises `DatasetError` where a folder holds something: what is there is left alone."""
    if folder.exists() and any(folder.iterdir()):
        raise DatasetError(f"'{folder}' is not empty: name a new folder to write into.")


def check_sources(datasets: Sequence[Dataset]) -> None:
    """Raises `DatasetError` where two have one name, or where one is made and not written.

    Nothing says of a packed line that no hand wrote it: the version that learns from it would
    count as trained on handwriting, and its language model would learn the text.
    """
    check_names(datasets)
    made = ", ".join(dataset.name for dataset in datasets if is_made(dataset))
    if made:
        raise DatasetError(
            f"{made}: its lines are made, and once packed they would count as handwriting. Leave "
            "it out here, and name it where you train: it is made the same there."
        )


def _row(file: Path, split: Split, sample: Sample, dataset: Dataset) -> str:
    document = f"{dataset.name}/{sample.document}".replace("\t", " ")
    return f"{file}\t{split}\t{sample.text}\t{document}"


def _small(sample: Sample, height: int) -> bytes | None:
    try:
        gray = sample.image()
    except (ImageError, OSError):
        return None
    return _webp(gray, height)


def _webp(gray: Gray, height: int) -> bytes:
    width = max(1, round(gray.shape[1] * height / gray.shape[0]))
    if gray.shape[0] > height:
        gray = np.asarray(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    data = cv2.imencode(".webp", gray, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1]
    return bytes(data)


def _licences(datasets: Sequence[Dataset]) -> str:
    """LICENSE.md with a paragraph for each source, which `licence.stated` takes for the card."""
    listed = "\n\n".join(f"Licence of {each.name}: {each.licence}" for each in datasets)
    return f"# Packed from these sources\n\n{listed}\n"
