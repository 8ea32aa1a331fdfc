"""Numbers at which parsers go wrong."""

import random
import struct

SIDES = (0, 1, 2, 3, 7, 8, 255, 256, 4096, 7071, 7072, 32767, 32768, 65535)
WIDE = (65536, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def number(rng: random.Random, size: int) -> int:
    """A number of `size` bytes: often one of the usual suspects, else any."""
    if rng.random() < 0.7:
        return rng.choice(SIDES + WIDE) % (1 << 8 * size)
    return rng.getrandbits(8 * size)


def put(data: bytes, at: int, form: str, value: int) -> bytes:
    """The data with a number written over it. Raises `IndexError` where it does not fit."""
    size = struct.calcsize(form)
    if at < 0 or at + size > len(data):
        raise IndexError(at)
    wrapped = value % (1 << 8 * size)
    return data[:at] + struct.pack(form, wrapped) + data[at + size :]


def scribble(data: bytes, rng: random.Random, most: int = 6) -> bytes:
    """A few bytes changed, more of them at the beginning."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, most) if changed else 0):
        end = min(len(changed), 24) if rng.random() < 0.5 else len(changed)
        changed[rng.randrange(end)] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, rng.randrange(256)))
    return bytes(changed)


def shuffled(parts: list[tuple[bytes, bytes]], rng: random.Random) -> list[tuple[bytes, bytes]]:
    """The parts of a file with one of them gone, twice there, many times there or elsewhere."""
    parts = list(parts)
    index = rng.randrange(len(parts))
    kind = rng.randrange(4)
    if kind == 0:
        del parts[index]
    elif kind == 1:
        parts.insert(rng.randrange(len(parts) + 1), parts[index])
    elif kind == 2:
        parts[index:index] = [parts[index]] * rng.choice((3, 50, 300))
    else:
        parts.insert(rng.randrange(len(parts)), parts.pop(index))
    return parts
