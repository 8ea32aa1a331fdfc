"""Words that are likely to be written, and a guide that prefers them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognizer import wordlist
from recognizer.alphabet import Alphabet
from recognizer.beam import Guide, Scores, State
from recognizer.errors import BundleError
from recognizer.wordlist import Block

LONGEST = 24
"""Letters of a word; longer ones are left out."""
MOST_CACHED = 20_000

Mass = NDArray[np.float64]
"""How often words come, all together."""


def pieces(text: str) -> Iterable[str]:
    """The words of a text as a lexicon counts them: runs of letters, in lower case."""
    letters = "".join(c if is_letter(c) else " " for c in text)
    return letters.lower().split()


def is_letter(character: str) -> bool:
    return character.isalpha() and len(character.lower()) == 1


class Lexicon:
    """Words in terms of an alphabet's labels, whatever their case: a trie that is never built.

    The words are rows of a sorted matrix, so those that begin alike are a range of rows. A
    state (low, high, depth) is such a range and how many letters its words share; `OUTSIDE`
    is where no word begins as the text does. Safe to share by threads.
    """

    OUTSIDE = (-1, -1, -1)

    def __init__(self, blocks: Iterable[Block], alphabet: Alphabet) -> None:
        """Of the words of a file. Raises `ValueError` where one comes twice.

        Those that the alphabet cannot write are left out.
        """
        letters = sorted({c.lower() for c in alphabet.characters if is_letter(c)})
        number = {letter: index + 1 for index, letter in enumerate(letters)}
        labels = [alphabet.encode(c)[0] for c in alphabet.characters]
        self.letter_of = np.zeros(alphabet.classes, np.int64)
        """Letter each label writes, 0 for what is no letter."""
        self.letter_of[labels] = [number.get(c.lower(), 0) for c in alphabet.characters]
        found = [_rows(block, number) for block in blocks]
        # the high byte of a number first: the bytes of rows sort as rows of numbers would, at once
        numbers = np.concatenate([rows for rows, _ in found]).astype(">u2")
        rows = numbers.view(f"S{2 * (LONGEST + 1)}").ravel()
        order = np.argsort(rows)
        rows = rows[order]
        twice = np.flatnonzero(rows[1:] == rows[:-1])
        if len(twice):
            raise ValueError(f"has {_word(rows[twice[0]], letters)!r} more than once")
        self._letters = rows.view(">u2").reshape(-1, LONGEST + 1).astype(np.uint16)
        counts = np.concatenate([counts for _, counts in found])
        self._mass = np.concatenate([[0.0], np.cumsum(counts[order])])
        self.start: State = (0, len(rows), 0)

    @classmethod
    def of(cls, words: Mapping[str, int], alphabet: Alphabet) -> "Lexicon":
        """Of words in lower case and how often each comes."""
        return cls([wordlist.block_of(words)], alphabet)

    @classmethod
    def load(cls, file: Path, alphabet: Alphabet) -> "Lexicon":
        """Raises `BundleError`."""
        try:
            return cls(wordlist.blocks(file), alphabet)
        except ValueError as error:
            raise BundleError(file, str(error)) from None

    def mass(self, state: State) -> float:
        """How often the words of a state come, all together."""
        return float(self._mass[state[1]] - self._mass[state[0]])

    def continued(self, state: State) -> tuple[NDArray[np.uint16], NDArray[np.intp], Mass]:
        """Letters that can follow in a state, where the rows of each begin, and their mass.

        The letter 0 stands for a word that ends there. One bound more closes the last range.
        """
        low, high, depth = state
        found = self._letters[low:high, depth]
        change = np.ones(len(found) + 1, bool)
        np.not_equal(found[1:], found[:-1], out=change[1:-1])
        bounds = np.flatnonzero(change)
        mass = self._mass[low + bounds]
        return found[bounds[:-1]], low + bounds, mass[1:] - mass[:-1]


class LexiconGuide:
    """Prefers words of a lexicon, without forbidding others.

    A word of the lexicon costs `weight` times its negative log-probability among all words,
    letter by letter; any other run of letters costs `escape`, from where it can no longer be a
    word of the lexicon. So names still read. What is no letter costs nothing: numbers and
    punctuation stand as they are (after Scheidl et al. 2018, "Word Beam Search").
    """

    def __init__(
        self, lexicon: Lexicon, *, weight: float, escape: float, inner: Guide | None = None
    ) -> None:
        """`inner` is a guide whose scores are added, such as a language model."""
        self._lexicon, self._weight, self._escape, self._inner = lexicon, weight, escape, inner
        self._cache: dict[State, tuple[Scores, dict[int, State]]] = {}
        self.start = (*lexicon.start, *(inner.start if inner else ()))

    def scores(self, states: Sequence[State]) -> Scores:
        scores = np.stack([self._row(state[:3])[0] for state in states])
        if self._inner:
            scores += self._inner.scores([state[3:] for state in states])
        return scores

    def after(self, state: State, label: int) -> State:
        inner = self._inner.after(state[3:], label) if self._inner else ()
        letter = int(self._lexicon.letter_of[label])
        if not letter:
            return (*self._lexicon.start, *inner)
        return (*self._row(state[:3])[1].get(letter, Lexicon.OUTSIDE), *inner)

    def _row(self, state: State) -> tuple[Scores, dict[int, State]]:
        found = self._cache.get(state)
        if found is None:
            if len(self._cache) >= MOST_CACHED:
                self._cache.clear()
            found = self._cache[state] = self._look_up(state)
        return found

    def _look_up(self, state: State) -> tuple[Scores, dict[int, State]]:
        lexicon = self._lexicon
        if state == Lexicon.OUTSIDE:
            return np.zeros(len(lexicon.letter_of), np.float32), {}
        letters, bounds, masses = lexicon.continued(state)
        edges, depth = bounds.tolist(), state[2] + 1
        children: dict[int, State] = {
            letter: (low, high, depth)
            for letter, low, high in zip(letters.tolist(), edges[:-1], edges[1:], strict=True)
        }
        mass, whole = lexicon.mass(state), lexicon.mass(lexicon.start)
        # what was paid for the letters so far is given back to a word that is none
        leave = -self._escape - (self._weight * np.log(mass / whole) if mass else 0.0)
        by_letter = np.full(lexicon.letter_of.max() + 1, leave, np.float32)
        by_letter[letters] = self._weight * np.log(masses / mass)
        if state[2] == 0:  # between words
            by_letter[0] = 0.0
        children.pop(0, None)
        scores: Scores = by_letter[lexicon.letter_of]
        return scores, children


def _rows(block: Block, number: Mapping[str, int]) -> tuple[NDArray[np.uint16], Mass]:
    """The letters of each word by their numbers, 0 after its end: (words, LONGEST + 1); its count.

    Of words that can be written with them and are not too long.
    """
    codes, words, places = block.letters()
    numbers = np.zeros(max([*map(ord, number), int(codes.max(initial=0))]) + 1, np.uint16)
    numbers[[ord(letter) for letter in number]] = list(number.values())
    written = numbers[codes]
    good = block.tabs - block.starts <= LONGEST
    good[words[written == 0]] = False
    # one place more than there are letters, so that the longest word has an end, too
    rows = np.zeros((len(good), LONGEST + 1), np.uint16)
    fits = good[words]
    rows[words[fits], places[fits]] = written[fits]
    return rows[good], block.counts[good]


def _word(row: bytes, letters: Sequence[str]) -> str:
    numbers = np.frombuffer(row + b"\0" * (len(row) % 2), ">u2")
    return "".join(letters[number - 1] for number in numbers)
