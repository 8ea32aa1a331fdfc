"""Checksums as publishers give them, written `sha256:...` or `md5:...`."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

NAMES = {"sha256": "SHA-256", "md5": "MD5"}
"""What can be checked. MD5 tells a damaged file, but not one that somebody made to match."""


@dataclass(frozen=True)
class Checksum:
    """A digest and how it is made; `value` is hexadecimal in lower case."""

    kind: str
    value: str

    @classmethod
    def parse(cls, text: str) -> "Checksum":
        """Of `KIND:VALUE`. Raises `ValueError` for a kind that is not in `NAMES`."""
        kind, _, value = text.partition(":")
        if kind not in NAMES:
            raise ValueError(f"{text}: a checksum is written {' or '.join(NAMES)}:VALUE")
        return cls(kind, value.lower())

    @classmethod
    def of(cls, file: Path, kind: str) -> "Checksum":
        """Of a file's bytes."""
        with file.open("rb") as data:
            made = hashlib.file_digest(data, lambda: hashlib.new(kind, usedforsecurity=False))
        return cls(kind, made.hexdigest())

    def __str__(self) -> str:
        return f"{NAMES[self.kind]} {self.value}"
