"""What an archive of a repository holds, as one digest that any packing of it shares."""

import hashlib
import zipfile
from pathlib import Path


def listing(archive: Path) -> str:
    """SHA-256 over git's name for the content of every file, and its path, in order of path.

    A line is `<SHA-1 that git gives the file> <path below the archive's one folder>`, as
    `git ls-tree -r` would show it for the revision.

    Args:
        archive: a zip as code hosts make it of a revision, all in one folder.

    Raises:
        zipfile.BadZipFile, OSError: it cannot be read.
    """
    rows = []
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            if member.is_dir():
                continue
            named = hashlib.sha1(b"blob %d\0" % member.file_size, usedforsecurity=False)
            with packed.open(member) as content:
                while block := content.read(1 << 20):
                    named.update(block)
            path = member.filename.partition("/")[2]
            rows.append((path.encode(), named.hexdigest().encode()))
    whole = hashlib.sha256()
    for path_bytes, name in sorted(rows):
        whole.update(name + b" " + path_bytes + b"\n")
    return whole.hexdigest()
