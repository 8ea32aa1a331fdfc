"""BMP: one header of numbers."""

import random

from mutations.numbers import number, put, scribble

HEADER = (
    *((at, "<I") for at in (2, 10, 14, 18, 22, 30, 34, 38, 42, 46, 50)),
    *((at, "<H") for at in (26, 28)),
)


def mutate(file: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return file[:2] + scribble(file[2:], rng, 20)
    at, form = rng.choice(HEADER)
    value = number(rng, 4)
    if at in (28, 30):  # bits a pixel, compression
        value = rng.choice((0, 1, 2, 3, 4, 5, 6, 8, 16, 24, 32, 64))
    if at == 14:  # which of the headers this is
        value = rng.choice((0, 12, 16, 40, 52, 56, 64, 108, 124, value))
    return put(file, at, form, value)
