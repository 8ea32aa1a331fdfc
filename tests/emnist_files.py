"""Tiny EMNIST files of easy characters."""

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CLASSES = "1Ab"
MAPPING = "".join(f"{label} {ord(each)}\n" for label, each in enumerate(CLASSES))


def characters(count: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Upright images, each with a blob of its own wider than high, and labels by turns."""
    rng = np.random.default_rng(seed)
    ink = np.zeros((count, 28, 28), np.uint8)
    ink[:, 10:14, 4:22] = rng.integers(1, 256, (count, 4, 18))
    return ink, (np.arange(count) % len(CLASSES)).astype(np.uint8)


def idx(values: NDArray[np.uint8]) -> bytes:
    return (
        struct.pack(f">{1 + values.ndim}I", 0x800 + values.ndim, *values.shape) + values.tobytes()
    )


def put(
    folder: Path,
    part: str,
    ink: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    *,
    packed: bool = True,
) -> None:
    """The files of one part, as EMNIST has them: images column by column."""
    folder.mkdir(exist_ok=True)
    for kind, values in (("images-idx3", ink.transpose(0, 2, 1)), ("labels-idx1", labels)):
        data = idx(np.ascontiguousarray(values))
        name = f"emnist-byclass-{part}-{kind}-ubyte"
        file = folder / (f"{name}.gz" if packed else name)
        file.write_bytes(gzip.compress(data) if packed else data)
    (folder / "emnist-byclass-mapping.txt").write_text(MAPPING)


def write(folder: Path, part: str, count: int = 60, *, packed: bool = True, seed: int = 0) -> None:
    """The files of one part with `characters`."""
    put(folder, part, *characters(count, seed), packed=packed)
