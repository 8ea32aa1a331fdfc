"""PNG: chunks with their lengths and checksums."""

import random
import struct
import zlib

from mutations.numbers import number, put, scribble, shuffled

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = ((0, ">I"), (4, ">I"), (8, ">B"), (9, ">B"), (10, ">B"), (11, ">B"), (12, ">B"))
ZEROS = zlib.compress(bytes(3_000_000))

Chunk = tuple[bytes, bytes]


def mutate(file: bytes, rng: random.Random) -> bytes:
    chunks = split(file)
    kind = rng.randrange(7)
    if kind == 0:
        chunks = shuffled(chunks, rng)
    elif kind == 1:
        chunks.insert(rng.randrange(len(chunks) + 1), _odd(rng))
    elif kind == 2:
        chunks = [_with_pixels(chunk, rng) for chunk in chunks]
    else:
        index = 0 if rng.random() < 0.5 else rng.randrange(len(chunks))
        name, data = chunks[index]
        if name == b"IHDR" and rng.random() < 0.9:
            at, form = rng.choice(HEADER)
            value = number(rng, 4) if form == ">I" else rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 32))
            data = put(data, at, form, value)
        else:
            data = scribble(data, rng)
        chunks[index] = (name, data)
    return join(chunks, rng)


def split(file: bytes) -> list[Chunk]:
    chunks, at = [], len(SIGNATURE)
    while at + 12 <= len(file):
        (length,) = struct.unpack_from(">I", file, at)
        chunks.append((file[at + 4 : at + 8], file[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def join(chunks: list[Chunk], rng: random.Random) -> bytes:
    """With right lengths and checksums, but for some."""
    file = SIGNATURE
    for name, data in chunks:
        length, check = len(data), zlib.crc32(name + data)
        if rng.random() < 0.02:
            length = number(rng, 4)
        if rng.random() < 0.02:
            check ^= 1
        file += struct.pack(">I", length) + name + data + struct.pack(">I", check)
    return file


def _with_pixels(chunk: Chunk, rng: random.Random) -> Chunk:
    """Pixels that unpack well and are too few, too many, or filtered in unknown ways."""
    name, data = chunk
    if name != b"IDAT":
        return chunk
    try:
        rows = zlib.decompress(data)
    except zlib.error:
        return name, zlib.compress(bytes(100))
    kind = rng.randrange(4)
    if kind == 0:
        rows = rows[: rng.randrange(len(rows) + 1)]
    elif kind == 1:
        rows *= rng.choice((2, 20))
    elif kind == 2:
        rows = scribble(rows, rng, 40)
    else:
        return name, ZEROS
    return name, zlib.compress(rows)


def _odd(rng: random.Random) -> Chunk:
    name = rng.choice(
        "PLTE tRNS gAMA cHRM sRGB iCCP tEXt zTXt iTXt pHYs tIME eXIf acTL fcTL fdAT IDAT IEND "
        "IHDR sBIT bKGD hIST CgBI xxxx ABCD".split()
    ).encode()
    data = rng.choice(
        (
            b"",
            rng.randbytes(rng.choice((1, 3, 4, 9, 25, 26, 767, 768, 769))),
            b"k\0\0" + ZEROS,  # a text or a profile that unpacks to megabytes
            struct.pack(">IIIIIHHBB", 0, *(number(rng, 4) for _ in range(4)), 1, 1, 0, 0),
            struct.pack(">II", number(rng, 4), number(rng, 4)),
            b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03" + rng.randbytes(8) + bytes(4),
        )
    )
    return name, data
