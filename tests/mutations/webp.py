"""WebP: chunks within RIFF, some of them within others."""

import random
import struct

from mutations.numbers import number, put, scribble, shuffled

NAMES = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP ", b"abcd")

Chunk = tuple[bytes, bytes]


def mutate(file: bytes, rng: random.Random) -> bytes:
    chunks = split(file)
    kind = rng.randrange(7)
    index = rng.randrange(len(chunks))
    name, data = chunks[index]
    if kind == 0:
        chunks = shuffled(chunks, rng)
    elif kind == 1:
        odd = rng.choice((b"", rng.randbytes(rng.choice((1, 6, 10, 16, 100))), data))
        chunks.insert(rng.randrange(len(chunks) + 1), (rng.choice(NAMES), odd))
    elif kind == 2:
        chunks[index] = (rng.choice(NAMES), data)
    elif kind == 3:
        chunks[index] = (name, data[: rng.randrange(len(data) + 1)])
    elif name in (b"VP8X", b"ANMF", b"VP8L", b"VP8 "):
        # flags, sizes and places stand in the first bytes
        places = {b"VP8X": (0, 4, 7), b"ANMF": (0, 3, 6, 9, 12, 15), b"VP8L": (0, 1, 2, 4)}
        at = rng.choice(places.get(name, (0, 3, 6, 8)))
        data = put(data, at, "<H", number(rng, 2))
        chunks[index] = (name, put(data, at + 2, "<B", number(rng, 1)) if at else data)
    else:
        chunks[index] = (name, scribble(data, rng))
    return join(chunks, rng)


def split(file: bytes) -> list[Chunk]:
    chunks, at = [], 12
    while at + 8 <= len(file):
        (length,) = struct.unpack_from("<I", file, at + 4)
        chunks.append((file[at : at + 4], file[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return chunks


def join(chunks: list[Chunk], rng: random.Random) -> bytes:
    body = b"WEBP"
    for name, data in chunks:
        length = number(rng, 4) if rng.random() < 0.03 else len(data)
        body += name + struct.pack("<I", length) + data + bytes(len(data) % 2)
    whole = number(rng, 4) if rng.random() < 0.05 else len(body)
    return b"RIFF" + struct.pack("<I", whole) + body
