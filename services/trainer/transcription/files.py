"""Readings as files for people and other programs: plain text and PAGE XML."""

import os.path
from collections.abc import Iterator
from typing import Any

from recognizer.page_xml import page_xml
from recognizer.placing import PlacedLine, PlacedWord
from trainer.transcription.address import absolute, opened
from trainer.transcription.readings import Readings, ReadingsError


def write_texts(readings: Readings, folder: str) -> int:
    """Write a text file for each image that was read: `1.png.txt` for `1.png`.

    The files lie below `folder` as their images lie below the folder that they share, which
    may be in a bucket, too.

    Returns:
        How many were written.

    Raises:
        ReadingsError: they cannot be written or read.
    """
    rows = _rows(readings, ["text"])
    return _write(folder, ((f"{name}.txt", f"{row['text']}\n".encode()) for name, row in rows))


def write_pages(readings: Readings, folder: str) -> int:
    """Write a PAGE XML file for each image that was read: `1.png.xml`. As `write_texts` does."""
    rows = _rows(readings, ["width", "height", "lines"])
    return _write(folder, ((f"{name}.xml", _page(name, row)) for name, row in rows))


def _rows(readings: Readings, columns: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows without an error, with the image's place below what all images share."""
    shared = _shared_folder(readings)
    for batch in readings.batches(["path", "error", *columns]):
        for row in batch.to_pylist():
            if row["error"] is None:
                # the name of an object in a bucket may hold anything: it shall lead nowhere else
                parts = row["path"][len(shared) :].strip("/").split("/")
                yield "/".join("_" if part in ("", ".", "..") else part for part in parts), row


def _shared_folder(readings: Readings) -> str:
    """The folder with all images, whatever came of them; "" where they share none."""
    shared = ""
    for number, batch in enumerate(readings.batches(["path"])):
        names = batch["path"].to_pylist()
        if not number:
            shared = names[0].rpartition("/")[0] + "/"
        # what the first and the last of an order share, all between them do
        shared = os.path.commonprefix([shared, min(names), max(names)])  # noqa: RUF071
    return shared.rpartition("/")[0]


def _write(folder: str, files: Iterator[tuple[str, bytes]]) -> int:
    count = 0
    made: set[str] = set()
    try:
        system, root = opened(absolute(folder))
        for name, data in files:
            path = f"{root}/{name}"
            parent = path.rpartition("/")[0]
            if parent not in made:
                system.create_dir(parent, recursive=True)
                made.add(parent)
            with system.open_output_stream(path) as stream:
                stream.write(data)
            count += 1
    except (OSError, ValueError) as error:
        raise ReadingsError(f"{folder} cannot be written: {error}") from error
    return count


def _page(name: str, row: dict[str, Any]) -> bytes:
    lines = [
        PlacedLine(
            line["text"],
            line["confidence"],
            line["polygon"],
            [PlacedWord(**word) for word in line["words"]],
            line["baseline"] or (),
        )
        for line in row["lines"]
    ]
    return page_xml(name.rpartition("/")[2], row["width"], row["height"], lines)
