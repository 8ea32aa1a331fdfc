"""How memory that was freed is kept and looked for."""

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

M_ARENA_MAX = -8
M_MMAP_THRESHOLD = -3

ARENAS = 2
LARGE = 1 << 17
"""Bytes. The ink of most lines is more: among what lasts it would keep apart what is free, and the
process grew with each change of version under load."""
LASTING = 1 << 15


def give_back() -> None:
    """Let what an image took go back to the system as soon as it is freed.

    glibc raises its threshold for doing so with every large block it sees, and keeps an arena for
    each few threads: after some large images the process stayed at twice its size. With a fixed
    threshold it does not. Elsewhere than on glibc nothing is changed.
    """
    _tell("mallopt", M_MMAP_THRESHOLD, LARGE)
    _tell("mallopt", M_ARENA_MAX, ARENAS)


@contextmanager
def kept_long() -> Iterator[None]:
    """For what is to stay for long: more of it gets memory of its own, in every thread meanwhile.

    Without this the weights of a version that are smaller than `LARGE` lie among what requests
    take and give back. When the version goes, requests spread over the holes, and the
    process stays larger than it was.
    """
    _tell("mallopt", M_MMAP_THRESHOLD, LASTING)
    try:
        yield
    finally:
        _tell("mallopt", M_MMAP_THRESHOLD, LARGE)


def trim() -> None:
    """Give back what is free between what is not, as after a version of the model has gone.

    Opening a version leaves holes that the next one does not fit into: without this the process
    grew with every change.
    """
    _tell("malloc_trim", 0)


def look_no_more() -> None:
    """Leave out of every later search for garbage what is there now, which stays to the end.

    A search walks through all modules, routes and schemas, and holds up every request meanwhile.
    """
    gc.collect()
    gc.freeze()


def _tell(function: str, *arguments: int) -> None:
    """Call a function of glibc; where the C library is another, nothing happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            getattr(ctypes.CDLL(None), function)(*arguments)
