"""Whole lines to one stream, each behind the coloured name of who wrote it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import TextIO

COLOURS = (36, 32, 35, 33, 34)
BOLD = 1


class Output:
    """`broken` becomes true when nobody reads the stream any more, as in `make up | head`."""

    def __init__(self, own_name: str, names: Sequence[str], stream: TextIO) -> None:
        width = max(map(len, [own_name, *names]))
        codes = {own_name: BOLD, **dict(zip(names, itertools.cycle(COLOURS), strict=False))}
        self._heads = {name: f"{name:<{width}} |" for name in codes}
        if stream.isatty() and "NO_COLOR" not in os.environ:
            self._heads = {name: f"\x1b[{codes[name]}m{self._heads[name]}\x1b[0m" for name in codes}
        self._own_name = own_name
        self._stream = stream
        self.broken = False

    def line(self, name: str, text: str) -> None:
        if self.broken:
            return
        try:
            self._stream.write(f"{self._heads[name]} {text}\n")
            self._stream.flush()
        except OSError:
            self.broken = True

    def say(self, text: str) -> None:
        """A line of the program's own."""
        self.line(self._own_name, text)
