"""A character n-gram model with back-off: how likely each character is after those before it.

`language.npz` holds a trie of n-grams in breadth-first order, the root (no characters) first;
siblings are contiguous and ascend by symbol. Symbol 0 is the edge of a line, symbol i the
i-th of `characters`. Arrays, none of them pickled:

- `characters` uint32: code points.
- `symbols`, `children` uint8 (nodes): last symbol of the n-gram; how many nodes extend it.
- `scores`, `backoffs` uint8 (nodes): log-probability of the last symbol after the others, and
  what the next shorter context is weighted with, as steps of `STEP` from `LEAST`.

Every suffix of an n-gram in it is in it too (Katz 1987 for backing off; the trie and its state
after Heafield 2011, "KenLM").
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognizer.alphabet import Alphabet
from recognizer.beam import Scores, State
from recognizer.errors import BundleError

FILE = "language.npz"
MOST_SYMBOLS = 255
MOST_NODES = 4_000_000
LEAST, STEP = -12.0, 1 / 16
"""Of stored logarithms: from -12 to nearly +4."""
UNKNOWN = -12.0
"""Log-probability of a character that the model never saw."""
MOST_CACHED = 20_000

_LOGARITHMS: NDArray[np.float32] = np.float32(LEAST) + np.float32(STEP) * np.arange(
    256, dtype=np.float32
)

Row = NDArray[np.float32]
"""Log-probabilities and states, both float32: of a state's number too, which is below 2^24."""

_DTYPES = {
    "characters": np.dtype(np.uint32),
    "symbols": np.dtype(np.uint8),
    "children": np.dtype(np.uint8),
    "scores": np.dtype(np.uint8),
    "backoffs": np.dtype(np.uint8),
}


def quantise(logarithms: NDArray[np.float64]) -> NDArray[np.uint8]:
    steps = np.rint((logarithms - LEAST) / STEP)
    return np.clip(steps, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Ngrams:
    """What `language.npz` holds; see the head of this module."""

    characters: str
    symbols: NDArray[np.uint8]
    children: NDArray[np.uint8]
    scores: NDArray[np.uint8]
    backoffs: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Raises `ValueError` where the arrays make no trie."""
        nodes = len(self.symbols)
        arrays = (self.children, self.scores, self.backoffs)
        if any(array.shape != (nodes,) for array in (self.symbols, *arrays)):
            raise ValueError("its arrays differ in length")
        if not 1 <= nodes <= MOST_NODES:
            raise ValueError(f"holds {nodes} n-grams, it may be 1 to {MOST_NODES}")
        if not self.characters or len(set(self.characters)) != len(self.characters):
            raise ValueError("must name its characters, each once")
        if len(self.characters) >= MOST_SYMBOLS:
            raise ValueError(f"has {len(self.characters)} characters, {MOST_SYMBOLS - 1} at most")
        if int(self.children.sum()) != nodes - 1:
            raise ValueError("its n-grams make no trie")
        if self.children[0] != len(self.characters) + 1:
            raise ValueError("lacks single characters")
        if nodes > 1 and self.symbols[1:].max() > len(self.characters):
            raise ValueError("uses a symbol that has no character")
        keys = self.keys()
        if (self.parents()[1:] >= np.arange(1, nodes)).any() or (np.diff(keys[1:]) <= 0).any():
            raise ValueError("its n-grams are out of order")

    def save(self, file: Path) -> None:
        np.savez_compressed(
            file,
            characters=np.array([ord(character) for character in self.characters], np.uint32),
            symbols=self.symbols,
            children=self.children,
            scores=self.scores,
            backoffs=self.backoffs,
        )

    @classmethod
    def load(cls, file: Path) -> "Ngrams":
        """Read and check. Raises `BundleError`."""
        try:
            with zipfile.ZipFile(file) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
            if size > 5 * MOST_NODES:
                raise BundleError(file, f"unpacks to {size} bytes: no language model is as large")
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in _DTYPES}
        except KeyError as error:
            raise BundleError(file, f"is no language model: {error.args[0]}") from None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise BundleError(file, f"is no language model: {error}") from error
        for name, dtype in _DTYPES.items():
            if arrays[name].dtype != dtype or arrays[name].ndim != 1:
                raise BundleError(file, f"must be a row of {dtype}", field=name)
        try:
            characters = "".join(map(chr, arrays.pop("characters")))
            return cls(characters, **arrays)
        except (ValueError, OverflowError) as error:
            raise BundleError(file, str(error)) from None

    def parents(self) -> NDArray[np.int64]:
        """The node each node extends; the root's is -1."""
        return np.concatenate([[-1], np.repeat(np.arange(len(self.children)), self.children)])

    def keys(self) -> NDArray[np.int64]:
        """Parent and symbol in one number, ascending: what a child is searched by."""
        return self.parents() * 256 + self.symbols


class LanguageModel:
    """N-grams in terms of an alphabet's labels. Safe to share by threads.

    A state is the longest known end of what was written. `row(state)` has a place for each
    label: its log-probability there, and the state after it. The blank's place holds the
    log-probability that the line ends.
    """

    def __init__(self, ngrams: Ngrams, alphabet: Alphabet) -> None:
        """Link each n-gram with its suffix. Raises `ValueError` where a suffix is missing."""
        # small numbers: each worker of an API holds hundreds of thousands of n-grams
        self._first = 1 + np.cumsum(ngrams.children, dtype=np.int32) - ngrams.children
        self._children = ngrams.children
        self._backoffs = ngrams.backoffs
        # a character that the alphabet lacks falls into a place past the labels
        places = [alphabet.blank]
        for character in ngrams.characters:
            known = alphabet.covers(character)
            places.append(alphabet.encode(character)[0] if known else alphabet.classes)
        self._places = np.array(places, np.uint16)[ngrams.symbols]
        self._suffixes, states = _link(ngrams)
        # what a row holds of each n-gram: made once, looked up at each character of each text
        self._rows = np.stack([_LOGARITHMS[ngrams.scores], states.astype(np.float32)])
        unknown = np.zeros((2, alphabet.classes + 1), np.float32)
        unknown[0] = UNKNOWN
        self._blank, self._classes = alphabet.blank, alphabet.classes
        self._root = self._extend(0, unknown, np.float32(0))
        self._cache: dict[int, Row] = {}
        self.start = int(states[1])
        """The state at the edge of a line."""

    @classmethod
    def load(cls, file: Path, alphabet: Alphabet) -> "LanguageModel":
        """Raises `BundleError`."""
        try:
            return cls(Ngrams.load(file), alphabet)
        except ValueError as error:
            raise BundleError(file, str(error)) from None

    def row(self, state: int) -> Row:
        """Log-probabilities and the states after each label, (2, classes + 1), the last unused."""
        found = self._cache.get(state)
        if found is None:
            if state == 0:
                return self._root
            backoff = _LOGARITHMS[self._backoffs[state]]
            found = self._extend(state, self.row(self._suffixes[state]), backoff)
            if len(self._cache) >= MOST_CACHED:
                self._cache.clear()
            self._cache[state] = found
        return found

    def bonus(self, value: float) -> Scores:
        """A value for each label, none for the end."""
        bonus = np.full(self._classes, value, np.float32)
        bonus[self._blank] = 0
        return bonus

    def score(self, labels: list[int]) -> float:
        """Log-probability of a whole line, its end included."""
        state, total = self.start, 0.0
        for label in labels:
            scores, after = self.row(state)
            total += float(scores[label])
            state = int(after[label])
        return total + float(self.row(state)[0][self._blank])

    def _extend(self, state: int, shorter: Row, backoff: np.float32) -> Row:
        row = shorter.copy()
        row[0] += backoff
        first = self._first[state]
        own = slice(first, first + self._children[state])
        row[:, self._places[own]] = self._rows[:, own]
        return row


class LanguageGuide:
    """A language model as beam search asks for it."""

    def __init__(self, model: LanguageModel, *, weight: float, bonus: float) -> None:
        """`weight` multiplies the model's log-probabilities; `bonus` is added for each label."""
        self._model, self._weight = model, np.float32(weight)
        self._bonus = model.bonus(bonus)
        self.start: State = (model.start,)

    def scores(self, states: Sequence[State]) -> Scores:
        rows = np.stack([self._model.row(state[0])[0] for state in states])
        scores: Scores = self._weight * rows[:, : len(self._bonus)] + self._bonus
        return scores

    def after(self, state: State, label: int) -> State:
        return (int(self._model.row(state[0])[1, label]),)


def _link(ngrams: Ngrams) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """For each node the state of its longest proper suffix, and its own state.

    Only a node that is extended makes a state of its own: others predict as their suffix does.
    """
    keys, parents = ngrams.keys(), ngrams.parents()
    suffix = np.zeros(len(keys), np.int64)
    state = np.zeros(len(keys), np.int64)
    level = slice(1, 1 + int(ngrams.children[0]))
    while level.start < level.stop:
        nodes = np.arange(level.start, level.stop)
        if level.start > 1:
            wanted = suffix[parents[nodes]] * 256 + ngrams.symbols[nodes]
            place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            if (keys[place] != wanted).any():
                raise ValueError("holds an n-gram without its suffix")
            suffix[nodes] = place
        own = ngrams.children[nodes] > 0
        state[nodes] = np.where(own, nodes, state[suffix[nodes]])
        stop = level.stop + int(ngrams.children[nodes].sum())
        level = slice(level.stop, stop)
    return state[suffix].astype(np.int32), state.astype(np.int32)
