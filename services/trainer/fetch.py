"""Data sets that can be downloaded: brought whole, checked and unpacked."""

from pathlib import Path

from filelock import FileLock, Timeout

from trainer.checksum import Checksum
from trainer.datasets import archive
from trainer.datasets.base import DatasetError
from trainer.datasets.listing import listing
from trainer.datasets.sources import Source
from trainer.download import DownloadError, Progress, discard, download, forget

_UNPUBLISHED = "sha256"
"""The checksum of archives whose publishers give none."""


class FetchError(DatasetError):
    """A data set could not be fetched; the message says what to do."""


class TermsError(FetchError):
    """The terms of a data set have not been accepted."""


def fetch(
    source: Source,
    directory: Path,
    *,
    accept_terms: bool = False,
    progress: Progress | None = None,
    attempts: int = 6,
    wait: float = 1.0,
) -> Path:
    """Bring a data set into `directory/<name>` and unpack it there; what is there is not repeated.

    The archive gets its name only when it is whole and right: until then its bytes lie in a
    `.part` file, from which the next call goes on. Its checksum is written beside it in the
    form that `sha256sum -c` or `md5sum -c` reads, and holds for later calls. Of an archive that is
    only wanted in part, that part alone is kept.

    Args:
        progress: see `trainer.download.Progress`.
        attempts, wait: see `trainer.download.download`.

    Returns:
        `directory/<name>`.

    Raises:
        TermsError: the source has terms and `accept_terms` is false.
        FetchError: offline, refused, cut off too often, no room, or not the archive expected.
        trainer.datasets.archive.ArchiveError: the archive is damaged or cannot be unpacked.
    """
    if source.terms is not None and not accept_terms:
        raise TermsError(refusal(source))
    home = directory / source.name
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / ".fetch.lock", timeout=0):
            file = home / source.filename
            if source.members and not file.exists() and archive.folder_of(file).is_dir():
                return home
            if file.exists():
                _check_present(file, source)
            else:
                _bring(source, file, progress=progress, attempts=attempts, wait=wait)
            archive.unpack(file, only=source.members)
            if source.members:
                file.unlink()
    except Timeout as error:
        raise FetchError(
            f"{source.name} is being fetched into '{home}' already: wait for that to end."
        ) from error
    except DownloadError as error:
        raise FetchError(str(error)) from error
    except OSError as error:
        raise FetchError(f"Cannot write to '{home}': {error.strerror or error}.") from error
    return home


def refusal(source: Source) -> str:
    """What to say to a user who has not accepted a source's terms."""
    return (
        f"{source.name} may be used under these terms: {source.terms}\n"
        "If you accept them, run this again with --accept-terms."
    )


def _bring(
    source: Source, file: Path, *, progress: Progress | None, attempts: int, wait: float
) -> None:
    part = file.with_name(file.name + ".part")
    download(source.url, part, progress=progress, attempts=attempts, wait=wait)
    expected = _expected(source, file)
    found = Checksum.of(part, expected.kind if expected else _UNPUBLISHED)
    try:
        if found != (expected or found):
            raise FetchError(_mismatch(source, file, found=found, expected=expected))
        archive.check(part)
        _check_listing(part, source)
    except DatasetError:
        # Bytes that are whole and wrong stay wrong: going on from them would never end
        discard(part)
        raise
    _pin(file, found)
    part.replace(file)
    forget(part)


def _check_present(file: Path, source: Source) -> None:
    expected = _expected(source, file)
    found = Checksum.of(file, expected.kind if expected else _UNPUBLISHED)
    if expected is None:
        archive.check(file)  # put there by hand, or by a download that may have been cut off
        _check_listing(file, source)
    elif found != expected:
        raise FetchError(
            f"'{file}' is not the archive expected ({found}, not {expected.value}).\n"
            "Delete it and run this again to fetch it anew."
        )
    _pin(file, found)


def _check_listing(file: Path, source: Source) -> None:
    if source.listing is not None and (found := listing(file)) != source.listing:
        raise FetchError(
            f"{source.url} does not hold the files expected (listing {found[:12]}, "
            f"not {source.listing[:12]})."
        )


def _expected(source: Source, file: Path) -> Checksum | None:
    """The checksum given, else the one pinned when the archive was first fetched."""
    if source.checksum is not None:
        return Checksum.parse(source.checksum)
    pin = _pin_file(file, _UNPUBLISHED)
    words = pin.read_text(encoding="utf-8").split() if pin.exists() else []
    return Checksum(_UNPUBLISHED, words[0]) if words else None


def _mismatch(source: Source, file: Path, *, found: Checksum, expected: Checksum | None) -> str:
    wanted = expected.value if expected else None
    message = f"{source.url} is not the archive expected ({found}, not {wanted}): discarded."
    if source.checksum is None:
        pin = _pin_file(file, _UNPUBLISHED)
        message += f"\nIf its publisher has replaced it, delete '{pin}' and try again."
    return message


def _pin_file(file: Path, kind: str) -> Path:
    return file.with_name(f"{file.name}.{kind}")


def _pin(file: Path, checksum: Checksum) -> None:
    pin = _pin_file(file, checksum.kind)
    pin.write_text(f"{checksum.value}  {file.name}\n", encoding="utf-8")
