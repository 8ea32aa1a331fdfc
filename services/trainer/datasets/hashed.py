"""Splits that hang on the name of a document alone, so that further documents move nothing."""

import hashlib

from trainer.datasets.base import Split

_TEST_SHARE = 0.1


def share_of(document: str) -> float:
    """A number from 0 to 1 that is always the same for a name."""
    digest = hashlib.sha256(document.encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def split_of(document: str, *, val_share: float = 0.1) -> Split:
    """`val` for the lowest shares, `test` for the highest tenth, else `train`."""
    share = share_of(document)
    if share < val_share:
        return "val"
    return "test" if share >= 1 - _TEST_SHARE else "train"
