"""JPEG: segments behind their markers, and the coded pixels after the last."""

import random
import struct

from mutations.numbers import number, put, scribble, shuffled

SCAN = b"\xda"
FRAMES = tuple(bytes([0xC0 + number]) for number in range(16) if number not in (4, 8, 12))
ALONE = frozenset(bytes([code]) for code in (0x01, *range(0xD0, 0xDA)))

Segment = tuple[bytes, bytes]


def mutate(file: bytes, rng: random.Random) -> bytes:
    segments, pixels = split(file)
    kind = rng.randrange(7)
    if kind == 0:
        segments = shuffled(segments, rng)
    elif kind == 1:
        segments.insert(rng.randrange(len(segments) + 1), _odd(rng))
    elif kind == 2:
        pixels = scribble(pixels, rng, 30)
    elif kind == 3:
        # the same scan again and again: progressive files may have many
        last = segments[-1]
        pixels += (b"\xff" + last[0] + last[1] + pixels[:200]) * rng.choice((1, 20, 200))
    else:
        index = rng.randrange(len(segments))
        name, data = segments[index]
        if name in FRAMES:
            segments[index] = _frame(name, data, rng)
        else:
            segments[index] = (name, data[:2] + scribble(data[2:], rng))
    return join(segments, pixels, rng)


def split(file: bytes) -> tuple[list[Segment], bytes]:
    """Segments up to the first scan, each with its length bytes, and all that follows it."""
    segments: list[Segment] = []
    at = 2
    while at + 4 <= len(file) and file[at] == 0xFF:
        name = file[at + 1 : at + 2]
        length = 0 if name in ALONE else struct.unpack_from(">H", file, at + 2)[0]
        segments.append((name, file[at + 2 : at + 2 + length]))
        at += 2 + length
        if name == SCAN:
            break
    return segments, file[at:]


def join(segments: list[Segment], pixels: bytes, rng: random.Random) -> bytes:
    """With lengths that fit, but for some."""
    file = b"\xff\xd8"
    for name, data in segments:
        if name not in ALONE and len(data) >= 2:
            length = number(rng, 2) if rng.random() < 0.03 else len(data)
            data = struct.pack(">H", length % 65536) + data[2:]
        file += b"\xff" + name + data
    return file + pixels


def _frame(name: bytes, data: bytes, rng: random.Random) -> Segment:
    """Another process, precision, size, number of components or sampling."""
    kind = rng.randrange(5)
    if kind == 0:
        return rng.choice(FRAMES), data
    if kind == 1:
        return name, put(data, 2, ">B", rng.choice((0, 1, 8, 12, 16, 255)))
    if kind == 2:
        return name, put(data, rng.choice((3, 5)), ">H", number(rng, 2))
    if kind == 3:
        return name, put(data, 7, ">B", rng.choice((0, 1, 2, 3, 4, 5, 255)))
    at = 8 + 3 * rng.randrange(max(1, (len(data) - 8) // 3)) + rng.randrange(3)
    return name, put(data, at, ">B", rng.choice((0, 0x11, 0x14, 0x41, 0x44, 0xFF, 3)))


def _odd(rng: random.Random) -> Segment:
    name = bytes([rng.choice((0x01, 0xC4, 0xCC, 0xD0, 0xD8, 0xD9, 0xDB, 0xDC, 0xDD, 0xDE, 0xE0))])
    if rng.random() < 0.5:
        name = bytes([rng.choice((0xE1, 0xE2, 0xEE, 0xED, 0xFE, 0xC0, 0xC2, 0xC9, 0xDA))])
    data = rng.choice(
        (
            b"",
            rng.randbytes(rng.choice((1, 2, 4, 17, 65, 130, 1000, 60_000))),
            b"JFIF\0\1\1\0\0\1\0\1" + rng.randbytes(2) + b"\xff" * 30,
            b"Exif\0\0" + rng.choice((b"II*\0", b"MM\0*")) + rng.randbytes(60),
            b"MPF\0II*\0\x08\0\0\0" + rng.randbytes(60),
            b"ICC_PROFILE\0" + rng.randbytes(40),
            b"Adobe\0d\0\0\0\0" + rng.randbytes(1),
            struct.pack(">H", number(rng, 2)),
        )
    )
    return name, bytes(2) + data
