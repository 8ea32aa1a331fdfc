"""Files of numbers that several processes share, with room on the disk for all that they hold."""

import os
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

BYTES = 1 << 20
"""Of a new file: more than the labels of all routes need, so that it seldom grows."""
ENTRY = 32
"""The most bytes of an entry that are not its key."""


class AllocatedDict(MmapedDict):
    """prometheus_client's file of numbers, with its room taken before it is written to.

    Its own files are sparse. Where the disk is full a write to one of them, which is mapped into
    memory, raises no error but a SIGBUS, which ends the worker, and each that takes its place.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        """Raises `OSError` where there is no room for a new file."""
        if not read_mode:
            with Path(filename).open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, BYTES)
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        """Raises `OSError` where there is no room for another number."""
        if self._used + len(key.encode()) + ENTRY > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, 2 * self._capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]
