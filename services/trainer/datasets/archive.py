"""Archives, unpacked safely and once: whole or not at all, and never outside their folder."""

import gzip
import json
import logging
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from filelock import FileLock

from trainer.datasets.base import DatasetError

log = logging.getLogger(__name__)

SUFFIXES = (".zip", ".tgz", ".tar.gz", ".tar", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
FOLDER_SUFFIX = ".unpacked"

_MARK = ".unpacked.json"
_DEPTH = 3
"""How deep archives may be nested; IAM_Words.zip holds words.tgz, which makes two."""

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,  # an OSError otherwise, which would be put down to the disk
    EOFError,
    NotImplementedError,  # a zip compressed in a way the standard library does not know
    RuntimeError,  # an encrypted zip
)


class ArchiveError(DatasetError):
    """An archive that is broken, not an archive, unsafe, or has no room to be unpacked."""


def is_archive(path: Path) -> bool:
    """Whether the name says so; the contents are looked at when it is opened."""
    return path.name.lower().endswith(SUFFIXES)


def stem(path: Path) -> str:
    """The name in lower case without its archive suffix: `words` for `Words.tar.gz`."""
    name = path.name.lower()
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def check(archive: Path) -> None:
    """Read every member, which verifies the checksums that the archive itself carries.

    Raises:
        ArchiveError: broken, cut off, or no archive at all.
    """
    try:
        # first: at the end of a tar that a zip is packed into last, one finds that zip
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tape:
                for member in tape:
                    _drain(tape, member)
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                bad = packed.testzip()
            if bad is not None:
                raise ArchiveError(f"'{archive}' is damaged: the checksum of '{bad}' is wrong.")
        else:
            raise ArchiveError(_no_archive(archive))
    except _BROKEN as error:
        raise ArchiveError(_broken(archive, error)) from error


def folder_of(archive: Path) -> Path:
    """Where an archive is unpacked."""
    return archive.with_name(archive.name + FOLDER_SUFFIX)


def unpack(archive: Path, *, only: Sequence[str] = ()) -> Path:
    """Unpack beside the archive, into a folder of its name with `.unpacked` added.

    Archives found inside are unpacked too, into a folder beside themselves. The folder appears
    only once everything is in it; a second call finds it and returns at once, unless the
    archive has changed in between. Of several callers at a time, one unpacks and the others wait.

    Args:
        only: patterns of the names of members of a zip; the others stay packed. None: all.

    Raises:
        ArchiveError: broken, no archive, no room, no right to write there, a member that points
            outside the folder, a link or a device, or none of those wanted.
    """
    folder = folder_of(archive)
    try:
        mark = _mark(archive)
        if _is_current(folder, mark):
            return folder
        with FileLock(archive.with_name(f".{archive.name}.lock")):
            if not _is_current(folder, mark):
                log.info("unpacking %s", archive)
                _unpack_whole(archive, folder, mark, only)
    except _BROKEN as error:
        raise ArchiveError(_broken(archive, error)) from error
    except OSError as error:
        raise ArchiveError(
            f"Cannot unpack '{archive}': {error.strerror or error}.\n"
            "It is unpacked beside itself: copy it to a folder with room that you may write to."
        ) from error
    return folder


def _unpack_whole(archive: Path, folder: Path, mark: str, only: Sequence[str]) -> None:
    # Under the lock these can only be left over from a run that was killed
    fresh = archive.with_name(f".{archive.name}.unpacking")
    stale = archive.with_name(f".{archive.name}.stale")
    for leftover in (fresh, stale):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        _extract(archive, fresh, depth=1, only=only)
        (fresh / _MARK).write_text(mark, encoding="utf-8")
        if folder.exists():
            folder.rename(stale)
        fresh.rename(folder)
    finally:
        for leftover in (fresh, stale):
            shutil.rmtree(leftover, ignore_errors=True)


def _extract(archive: Path, into: Path, *, depth: int, only: Sequence[str] = ()) -> None:
    into.mkdir()
    if tarfile.is_tarfile(archive):
        _extract_tar(archive, into)
    elif zipfile.is_zipfile(archive):
        _extract_zip(archive, into, only)
    else:
        raise ArchiveError(_no_archive(archive))
    if depth == _DEPTH:
        return
    for inner in list(_archives_in(into)):
        _extract(inner, inner.with_name(inner.name + FOLDER_SUFFIX), depth=depth + 1)
        inner.unlink()


def _extract_zip(archive: Path, into: Path, only: Sequence[str]) -> None:
    with zipfile.ZipFile(archive) as packed:
        for name in packed.namelist():
            # zipfile would drop the dots and put the file elsewhere; refusing is clearer
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                raise ArchiveError(f"'{archive}' is not safe to unpack: it holds '{name}'.")
        wanted = [
            name
            for name in packed.namelist()
            if not only or any(PurePosixPath(name).match(each) for each in only)
        ]
        if only and not wanted:
            raise ArchiveError(f"'{archive}' holds no {' or '.join(only)}.")
        packed.extractall(into, wanted)


def _extract_tar(archive: Path, into: Path) -> None:
    def plain(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        # The data filter would let links inside the folder pass; no data set needs them
        if not (member.isfile() or member.isdir()):
            raise tarfile.SpecialFileError(member)
        return tarfile.data_filter(member, path)

    try:
        with tarfile.open(archive) as tape:
            tape.extractall(into, filter=plain)
    except tarfile.FilterError as error:
        raise ArchiveError(
            f"'{archive}' is not safe to unpack: it holds '{error.tarinfo.name}'."
        ) from error


def _archives_in(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if is_archive(path) and path.is_file() and not path.name.startswith("."):
            yield path


def _drain(tape: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    if member.isfile() and (data := tape.extractfile(member)) is not None:
        while data.read(1 << 20):
            pass


def _mark(archive: Path) -> str:
    stat = archive.stat()
    return json.dumps({"size": stat.st_size, "mtime_ns": stat.st_mtime_ns})


def _is_current(folder: Path, mark: str) -> bool:
    try:
        return (folder / _MARK).read_text(encoding="utf-8") == mark
    except FileNotFoundError:
        return False


def _no_archive(archive: Path) -> str:
    return f"'{archive}' is not an archive we read ({', '.join(SUFFIXES)}), or it is cut off."


def _broken(archive: Path, error: BaseException) -> str:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"'{archive}' is damaged or cut off ({reason}): get it again."
