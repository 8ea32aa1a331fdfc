"""Where files are: paths of this machine, and addresses of buckets such as `s3://bucket/folder`."""

import os
import re
from functools import lru_cache

from pyarrow import fs

_ADDRESS = re.compile(r"(?P<root>(?P<scheme>[a-z][a-z0-9+.-]*)://[^/]*)(?P<path>/.*)?", re.DOTALL)


def absolute(name: str) -> str:
    """A name as it is kept: an address as it is, a path from the root of this machine."""
    found = _ADDRESS.fullmatch(name)
    if found and found["scheme"] != "file":
        return name.rstrip("/")
    # a file's name may be no UTF-8, which no text file or table could hold
    path = os.path.abspath(found["path"] or "/" if found else name)  # noqa: PTH100  # keeps links
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def opened(name: str) -> tuple[fs.FileSystem, str]:
    """The file system of an absolute path or address, and what it is called there.

    Credentials and endpoints of buckets come from the environment, as their makers define it
    (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS`, ...).

    Raises:
        OSError, ValueError: no such kind of address, or nobody answers there.
    """
    found = _ADDRESS.fullmatch(name)
    if not found:
        return fs.LocalFileSystem(), name
    system, root = _system(found["root"])
    return system, root.rstrip("/") + (found["path"] or "")


@lru_cache
def _system(root: str) -> tuple[fs.FileSystem, str]:
    system, path = fs.FileSystem.from_uri(root)
    return system, path


def read(name: str) -> bytes:
    """A whole file. Raises `OSError`."""
    system, path = opened(name)
    with system.open_input_stream(path) as stream:
        data: bytes = stream.read()
    return data
