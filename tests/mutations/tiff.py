"""TIFF: directories of tagged entries, and the offsets between them."""

import random
import struct
from dataclasses import dataclass

from mutations.numbers import number, scribble

COMPRESSIONS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34676, 34712, 34925, 50000, 50001, 50002)
SMALL = {
    258: (0, 1, 2, 4, 8, 12, 16, 32, 64, 255),
    259: COMPRESSIONS,
    262: (0, 1, 2, 3, 4, 5, 6, 8, 9, 32803, 34892),
    266: (0, 1, 2, 3),
    274: (0, 1, 6, 8, 9),
    277: (0, 1, 2, 3, 4, 5, 255, 65535),
    284: (0, 1, 2, 3),
    317: (0, 1, 2, 3, 4),
    338: (0, 1, 2, 3),
    339: (0, 1, 2, 3, 4, 5, 6),
    530: (0, 0x10001, 0x20002, 0x40004, 0xFFFF),
}
TAGS = (*SMALL, 256, 257, 273, 278, 279, 320, 322, 323, 324, 325, 330, 347, 700, 33432, 34665)
TYPES = (0, 1, 2, 3, 4, 5, 7, 11, 12, 13, 16, 255)


@dataclass
class Directory:
    order: str
    at: int
    entries: list[tuple[int, int, int, int]]
    """Tag, type, count, value or its offset."""
    following: int


def mutate(file: bytes, rng: random.Random) -> bytes:
    found = split(file)
    kind = rng.randrange(8)
    if kind == 0:
        return file[:8] + scribble(file[8:], rng, 20)
    if kind == 1:
        # the next directory is this one, lies beyond the end, or in the middle of something
        found.following = rng.choice((found.at, 8, number(rng, 4), rng.randrange(len(file))))
    elif kind == 2:
        tag = rng.choice(TAGS)
        entry = (tag, rng.choice(TYPES), rng.choice((0, 1, 2, number(rng, 4))), _value(tag, rng))
        found.entries.insert(rng.randrange(len(found.entries) + 1), entry)
    elif kind == 3:
        del found.entries[rng.randrange(len(found.entries))]
    else:
        index = rng.randrange(len(found.entries))
        tag, form, count, value = found.entries[index]
        if rng.random() < 0.7:
            value = _value(tag, rng)
        elif rng.random() < 0.5:
            count = number(rng, 4)
        elif rng.random() < 0.5:
            form = rng.choice(TYPES)
        else:
            tag = rng.choice(TAGS)
        found.entries[index] = (tag, form, count, value)
    return join(file, found, rng)


def split(file: bytes) -> Directory:
    """The first directory."""
    order = {b"II": "<", b"MM": ">"}[file[:2]]
    (at,) = struct.unpack_from(order + "I", file, 4)
    if at + 6 > len(file):
        raise IndexError(at)
    (count,) = struct.unpack_from(order + "H", file, at)
    if at + 6 + 12 * count > len(file):
        raise IndexError(count)
    entries = []
    for index in range(count):
        start = at + 2 + 12 * index
        tag, form, many, value = struct.unpack_from(order + "HHII", file, start)
        if form == 3 and many == 1:
            (value,) = struct.unpack_from(order + "H", file, start + 8)
        entries.append((tag, form, many, value))
    (following,) = struct.unpack_from(order + "I", file, at + 2 + 12 * count)
    return Directory(order, at, entries, following)


def join(file: bytes, found: Directory, rng: random.Random) -> bytes:
    """The directory goes to the end, so that all other offsets stay true."""
    order = found.order
    count = number(rng, 2) if rng.random() < 0.02 else len(found.entries)
    directory = struct.pack(order + "H", count)
    for tag, form, many, value in found.entries:
        directory += struct.pack(order + "HHI", tag, form, many % 2**32)
        short = form == 3 and many == 1
        directory += (
            struct.pack(order + "HH", value % 65536, 0)
            if short
            else struct.pack(order + "I", value % 2**32)
        )
    start = len(file) + len(file) % 2
    file = file[:4] + struct.pack(order + "I", start) + file[8:] + bytes(start - len(file))
    return file + directory + struct.pack(order + "I", found.following)


def _value(tag: int, rng: random.Random) -> int:
    if tag in SMALL and rng.random() < 0.9:
        return rng.choice(SMALL[tag])
    return number(rng, 4)
