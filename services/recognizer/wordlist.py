"""The file of a lexicon: `lexicon.txt.gz` has a word a line: the word in lower case, letters alone,
a tab, and how often it comes, a whole number.

Such a file is read by arrays of its characters. A version is opened while requests are read, and a
hundred thousand words as objects of Python take longer, and leave holes in the memory of requests.
"""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognizer.errors import BundleError

FILE = "lexicon.txt.gz"
MOST_WORDS = 500_000
MOST_BYTES = 32 * MOST_WORDS
LONGEST_LINE = 1000
MOST_DIGITS = 15
"""Of a count, which is kept as a float."""
AT_ONCE = 1 << 16
"""Characters that are looked at together, at least: what that takes is given back."""

Codes = NDArray[np.uint32]
"""Code points of characters."""
Places = NDArray[np.intp]


def write(words: Mapping[str, int], file: Path) -> None:
    """Write words, the most frequent first; the same words make the same bytes."""
    ranked = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    file.write_bytes(gzip.compress(_lines(dict(ranked)).encode(), mtime=0))


def read(file: Path) -> Iterator[tuple[str, int]]:
    """Words and their counts. Raises `BundleError` as `blocks`."""
    for block in blocks(file):
        text = block.codes.tobytes().decode("utf-32-le")
        for line in text.removesuffix("\n").split("\n"):
            word, _, count = line.partition("\t")
            yield word, int(count)


@dataclass(frozen=True)
class Block:
    """Some lines of a file, checked: their characters, and where in each line what is."""

    codes: Codes
    starts: Places
    """Of the words."""
    tabs: Places
    ends: Places
    """Of the lines, where their line feeds are."""

    def letters(self) -> tuple[Codes, Places, Places]:
        """Of all words one after another: each letter, its word's number, its place therein."""
        return self._between(self.starts, self.tabs)

    def digits(self) -> tuple[Codes, Places, Places]:
        """Of all counts, in the same way."""
        return self._between(self.tabs + 1, self.ends)

    @cached_property
    def counts(self) -> NDArray[np.float64]:
        """How often each word comes."""
        digits, lines, places = self.digits()
        powers = (self.ends - self.tabs - 2)[lines] - places
        counts = np.zeros(len(self.ends))
        np.add.at(counts, lines, (digits - ord("0")) * 10.0**powers)
        return counts

    def _between(self, begins: Places, ends: Places) -> tuple[Codes, Places, Places]:
        lengths = ends - begins
        lines = np.repeat(np.arange(len(begins)), lengths)
        places = np.arange(len(lines)) - (np.cumsum(lengths) - lengths)[lines]
        return self.codes[begins[lines] + places], lines, places


def blocks(file: Path) -> Iterator[Block]:
    """The words of a file, some thousands at a time.

    Raises:
        BundleError: while it is read, whenever it comes to what is none.
    """
    text = _text(file)
    if text and not text.endswith("\n"):
        text += "\n"
    number = begin = 0
    while begin < len(text):
        most = min(begin + AT_ONCE, len(text) - 1)
        end = text.find("\n", most, most + LONGEST_LINE) + 1
        if not end:
            raise BundleError(file, f"has a line of more than {LONGEST_LINE} characters")
        lines = text[begin:end]
        block = _block(lines)
        if block is None:
            problem, where = _fault(lines, number + 1)
            raise BundleError(file, problem, field=where)
        number += len(block.ends)
        if number > MOST_WORDS:
            raise BundleError(file, f"has more than {MOST_WORDS} words")
        yield block
        begin = end
    if not number:
        raise BundleError(file, "has no words")


def block_of(words: Mapping[str, int]) -> Block:
    """Words that are in no file. Raises `ValueError` where they could not be in one."""
    block = _block(_lines(words))
    if block is None:
        raise ValueError("a lexicon has words in lower case, of letters alone, and their counts")
    return block


def _lines(words: Mapping[str, int]) -> str:
    return "".join(f"{word}\t{count}\n" for word, count in words.items())


def _block(lines: str) -> Block | None:
    """None where a line is no word, tab and count."""
    codes = np.frombuffer(lines.encode("utf-32-le"), "<u4")
    tabs, ends = np.flatnonzero(codes == ord("\t")), np.flatnonzero(codes == ord("\n"))
    starts = np.concatenate([[0], ends + 1])[:-1]
    if len(tabs) != len(ends) or (tabs <= starts).any():
        return None
    digits = ends - tabs - 1
    if ((digits < 1) | (digits > MOST_DIGITS)).any():
        return None
    block = Block(codes, starts, tabs, ends)
    letters, _, _ = block.letters()
    numerals, _, _ = block.digits()
    good = all(_is_lower(chr(code)) for code in np.unique(letters))
    good = good and bool(((numerals >= ord("0")) & (numerals <= ord("9"))).all())
    return block if good and (block.counts >= 1).all() else None


def _fault(lines: str, first: int) -> tuple[str, str]:
    """What is wrong with a line, and its number: of `lines`, the first one's is given."""
    for number, line in enumerate(lines.removesuffix("\n").split("\n"), first):
        word, _, count = line.partition("\t")
        where = f"line {number}"
        number_good = count.isascii() and count.isdecimal() and count.strip("0")
        if not (word.isalpha() and number_good and len(count) <= MOST_DIGITS):
            return f"{line[:40]!r} is no word, tab and count", where
        if not all(map(_is_lower, word)):
            return f"{word!r} must be lower case", where
    raise AssertionError("all lines are as they should be")


def _is_lower(character: str) -> bool:
    return character.isalpha() and character == character.lower()


def _text(file: Path) -> str:
    try:
        with gzip.open(file) as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise BundleError(file, f"unpacks to more than {MOST_BYTES} bytes: too many words")
        return data.decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BundleError(file, f"is no gzipped UTF-8 text: {error}") from error
