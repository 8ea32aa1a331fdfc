"""What was read in a corpus: a folder of Parquet files that only ever holds whole ones."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from pyarrow import fs

from recognizer.recognizer import Decoder
from trainer.transcription.address import absolute, opened

PREFIX, SUFFIX = "part-", ".parquet"
_BOX = pa.list_(pa.int32())
_WORD = pa.struct([("text", pa.string()), ("box", _BOX), ("confidence", pa.float64())])
_POINTS = pa.list_(pa.list_(pa.int32()))
_LINE = pa.struct(
    [
        ("box", _BOX),
        ("polygon", _POINTS),
        ("baseline", _POINTS),
        ("text", pa.string()),
        ("confidence", pa.float64()),
        ("words", pa.list_(_WORD)),
    ]
)
SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("text", pa.string()),
        ("confidence", pa.float64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("lines", pa.list_(_LINE)),
        ("error", pa.string()),
        ("model", pa.string()),
        ("digest", pa.string()),
        ("decoder", pa.string()),
        ("milliseconds", pa.float64()),
    ]
)


class ReadingsError(Exception):
    """Readings cannot be written or read; the message is for the user."""


@dataclass(frozen=True)
class Reads:
    """What readings are made with: all of one folder are made with the same."""

    model: str
    """As a person names it."""
    digest: str
    """Of the bundle's manifest, and so of all that the model is."""
    decoder: Decoder

    def __str__(self) -> str:
        return f"{self.model} ({self.digest[:14]}) with the decoder {self.decoder}"


class Readings:
    """A folder of `part-*.parquet`, here or in a bucket, with a row an image.

    A part is written as `.part-*`, which readers of Parquet folders leave out, and moved: at any
    moment the folder holds whole parts alone, whatever happens to the program that writes them.
    """

    def __init__(self, name: str) -> None:
        """Open the folder; it need not be there.

        Raises:
            ReadingsError: it is a file, or cannot be reached.
        """
        self.name = absolute(name)
        try:
            self._system, self._folder = opened(self.name)
            kind = self._system.get_file_info(self._folder).type
        except (OSError, ValueError) as error:
            raise ReadingsError(f"{self.name} cannot be opened: {error}") from error
        if kind == fs.FileType.File:
            raise ReadingsError(
                f"{self.name} is a file. Readings are a folder of Parquet files: name a new one."
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep the folder for one writer, and clear away what one that was killed left.

        In a bucket there is nothing to keep out another writer with.

        Raises:
            ReadingsError: there is another writer, or the folder cannot be made.
        """
        with ExitStack() as held:
            try:
                self._system.create_dir(self._folder, recursive=True)
                if isinstance(self._system, fs.LocalFileSystem):
                    # the lock goes with its process, however that ends
                    held.enter_context(FileLock(Path(self._folder) / ".lock", timeout=0))
                for name in self._files(f".{PREFIX}"):
                    self._system.delete_file(f"{self._folder}/{name}")
            except Timeout:
                raise ReadingsError(f"Another program is writing to {self.name}.") from None
            except OSError as error:
                raise ReadingsError(f"{self.name} cannot be written: {error}") from error
            yield

    def done(self, reads: Reads) -> pa.Array:
        """Paths of the images that have a row.

        Raises:
            ReadingsError: they were read in another way, or a part is damaged.
        """
        paths: list[pa.Array] = []
        for batch in self.batches(["path", "model", "digest", "decoder"]):
            other = batch.filter(
                (pc.field("digest") != reads.digest) | (pc.field("decoder") != reads.decoder)
            )
            if other.num_rows:
                row = other.slice(0, 1).to_pylist()[0]
                was = Reads(row["model"], row["digest"], row["decoder"])
                raise ReadingsError(
                    f"{self.name} holds readings of {was}, not of {reads}. Name another folder, "
                    "or give --restart to delete them and read everything anew."
                )
            paths.append(batch["path"])
        return pa.concat_arrays(paths) if paths else pa.array([], pa.string())

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Rows of all parts, some thousand at a time.

        Raises:
            ReadingsError: a part is damaged or has not these columns.
        """
        for name in self._files(PREFIX):
            try:
                with self._system.open_input_file(f"{self._folder}/{name}") as file:
                    yield from pq.ParquetFile(file).iter_batches(columns=list(columns))
            except (OSError, pa.ArrowException) as error:
                raise ReadingsError(
                    f"{self.name}/{name} cannot be read: {error}. "
                    "Without that file, its images are read again."
                ) from error

    def write(self, rows: pa.Table) -> None:
        """Add a part, whole or not at all. Raises `ReadingsError`."""
        last = max(self._files(PREFIX), default=f"{PREFIX}0{SUFFIX}")
        number = int(last.removeprefix(PREFIX).removesuffix(SUFFIX)) + 1
        name = f"{PREFIX}{number:08d}{SUFFIX}"
        try:
            self._put(rows, name)
        except OSError as error:
            raise ReadingsError(f"{self.name} cannot be written: {error}") from error

    def _put(self, rows: pa.Table, name: str) -> None:
        with self._system.open_output_stream(f"{self._folder}/.{name}") as stream:
            pq.write_table(rows, stream, compression="zstd")
        self._system.move(f"{self._folder}/.{name}", f"{self._folder}/{name}")

    def forget_failed(self, reads: Reads) -> int:
        """Take out the rows of images that could not be read, and say how many there were.

        Raises:
            ReadingsError: they were read in another way, or a part is damaged or cannot be written.
        """
        self.done(reads)
        forgotten = 0
        for name in self._files(PREFIX):
            path = f"{self._folder}/{name}"
            try:
                rows = pq.read_table(path, filesystem=self._system, schema=SCHEMA)
                good = rows.filter(pc.field("error").is_null())
                if good.num_rows < rows.num_rows:
                    forgotten += rows.num_rows - good.num_rows
                    self._put(good, name)
            except (OSError, pa.ArrowException) as error:
                raise ReadingsError(f"{self.name}/{name} cannot be changed: {error}.") from error
        return forgotten

    def clear(self) -> None:
        """Delete all parts. Raises `ReadingsError`."""
        try:
            for name in self._files(PREFIX):
                self._system.delete_file(f"{self._folder}/{name}")
        except OSError as error:
            raise ReadingsError(f"{self.name} cannot be emptied: {error}") from error

    def _files(self, prefix: str) -> list[str]:
        """In their order; other Parquet files, as Spark writes them, are not ours to touch."""
        ours = re.compile(rf"{re.escape(prefix)}\d{{8}}{re.escape(SUFFIX)}")
        selected = fs.FileSelector(self._folder, allow_not_found=True)
        names = (info.base_name for info in self._system.get_file_info(selected))
        return sorted(filter(ours.fullmatch, names))
