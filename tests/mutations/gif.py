"""GIF: a screen, a palette, extensions and frames made of small blocks."""

import random
import struct

from mutations.numbers import number, put, scribble

SCREEN = ((6, "<H"), (8, "<H"), (10, "<B"), (11, "<B"), (12, "<B"))
FRAME = ((1, "<H"), (3, "<H"), (5, "<H"), (7, "<H"), (9, "<B"))


def mutate(file: bytes, rng: random.Random) -> bytes:
    head, blocks = split(file)
    kind = rng.randrange(7)
    if kind == 0:
        at, form = rng.choice(SCREEN)
        head = put(head, at, form, number(rng, 2))
    elif kind == 1:
        odd = rng.choice(
            (
                b"\x21\xf9\x04" + rng.randbytes(4) + b"\0",
                b"\x21\xf9\x00",
                b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + rng.randbytes(2) + b"\0",
                b"\x21\xfe" + b"\xff" * 300,
                b"\x21\x01\x0c" + rng.randbytes(12) + b"\0",
                b"\x2c" + rng.randbytes(9) + b"\x02\x00",
                rng.randbytes(5),
            )
        )
        blocks.insert(rng.randrange(len(blocks) + 1), odd)
    elif kind == 2:
        index = rng.randrange(len(blocks))
        blocks[index:index] = [blocks[index]] * rng.choice((1, 3, 100))
    elif kind == 3:
        del blocks[rng.randrange(len(blocks))]
    else:
        index = rng.randrange(len(blocks))
        block = blocks[index]
        if block[:1] == b"\x2c" and rng.random() < 0.6:
            at, form = rng.choice(FRAME)
            block = put(block, at, form, number(rng, 2))
        elif block[:1] == b"\x2c" and rng.random() < 0.4:
            size = 10 + (3 * 2 ** ((block[9] & 7) + 1) if block[9] & 0x80 else 0)
            block = put(block, size, "<B", rng.choice((0, 1, 2, 8, 11, 12, 13, 255)))
        else:
            block = block[:1] + scribble(block[1:], rng)
        blocks[index] = block
    return head + b"".join(blocks)


def split(file: bytes) -> tuple[bytes, list[bytes]]:
    """The screen with its palette, and what follows it, each block with its marker."""
    flags = file[10]
    at = 13 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
    head, blocks = file[:at], []
    while at < len(file) and file[at] in (0x21, 0x2C):
        start = at
        if file[at] == 0x21:
            at += 2
        else:
            (local,) = struct.unpack_from("<B", file, at + 9)
            at += 11 + (3 * 2 ** ((local & 7) + 1) if local & 0x80 else 0)
        while at < len(file) and file[at]:
            at += 1 + file[at]
        at += 1
        blocks.append(file[start:at])
    return head, [*blocks, file[at:]]
