"""One process at a time in a folder."""

from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["Timeout", "locked"]


def locked(folder: Path) -> FileLock:
    """The lock of a folder, held; it lies beside it, so that the folder may come and go.

    Raises:
        Timeout: another process holds it.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0)
    lock.acquire()
    return lock
