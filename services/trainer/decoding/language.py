"""Estimates the character n-gram model of a bundle from lines of text.

Interpolated modified Kneser-Ney (Chen and Goodman 1999, section 4.1.6), then pruned to a size
by what each n-gram adds over its suffix (Seymore and Rosenfeld 1996). N-grams of one order are
a sorted array of integers, a byte a symbol.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recognizer.language import MOST_SYMBOLS, Ngrams, quantise

ORDER = 7
MOST_NGRAMS = 600_000
"""About 1.5 MB on disk."""
LONGEST_ORDER = 8

Keys = NDArray[np.uint64]
Values = NDArray[np.float64]


@dataclass
class _Order:
    """N-grams of one length: sorted, with their counts and places of their parts."""

    keys: Keys
    counts: Values
    prefix: NDArray[np.int64]
    """Place of all but the last symbol among the next shorter n-grams."""
    suffix: NDArray[np.int64]
    """Likewise of all but the first."""
    probability: Values
    shorter: Values
    """What the next shorter context alone gives."""
    kept: NDArray[np.bool_]


def estimate(
    lines: Sequence[str],
    *,
    order: int = ORDER,
    most: int = MOST_NGRAMS,
    weights: Sequence[int] | None = None,
) -> Ngrams:
    """A model of `lines`.

    Args:
        order: longest n-gram, in characters.
        most: n-grams kept.
        weights: how often each line counts; once where None.

    Raises:
        ValueError: there are no lines, or the order is out of range.
    """
    if not 2 <= order <= LONGEST_ORDER:
        raise ValueError(f"order must lie between 2 and {LONGEST_ORDER}")
    frequent = Counter[str]()
    for line in lines:
        frequent.update(line)
    if not frequent:
        raise ValueError("there is no text to make a language model of")
    characters = "".join(sorted(c for c, _ in frequent.most_common(MOST_SYMBOLS - 1)))
    orders = _count(lines, weights or [1] * len(lines), characters, order)
    _smooth(orders, len(characters) + 1)
    _prune(orders, most)
    return _pack(orders, characters)


def _count(
    lines: Sequence[str], weights: Sequence[int], characters: str, order: int
) -> list[_Order]:
    symbols, places, repeats = _encode(lines, weights, characters)
    orders: list[_Order] = []
    keys = np.zeros(len(symbols), np.uint64)
    for length in range(1, order + 1):
        # the n-gram that ends at each place; it must not reach over the start of its line
        shifted = np.zeros_like(keys)
        shifted[length - 1 :] = symbols[: len(symbols) - length + 1]
        keys = keys | (shifted << np.uint64(8 * (length - 1)))
        inside = places >= max(length - 1, 1)
        found, inverse = np.unique(keys[inside], return_inverse=True)
        if length == 1:  # every symbol has a place, seen or not
            found = np.arange(len(characters) + 1, dtype=np.uint64)
            inverse = keys[inside].astype(np.int64)
        counts = np.bincount(inverse, repeats[inside], len(found)).astype(np.float64)
        prefix = suffix = np.zeros(len(found), np.int64)
        if length > 1:
            mask = np.uint64((1 << (8 * (length - 1))) - 1)
            prefix = np.searchsorted(orders[-1].keys, found >> np.uint64(8))
            suffix = np.searchsorted(orders[-1].keys, found & mask)
        empty = np.zeros(len(found))
        orders.append(_Order(found, counts, prefix, suffix, empty, empty, empty.astype(bool)))
    return orders


def _encode(
    lines: Sequence[str], weights: Sequence[int], characters: str
) -> tuple[Keys, NDArray[np.int64], NDArray[np.int64]]:
    """Symbols of all lines, each between two edges; their place in their line; their weight."""
    code = {character: index + 1 for index, character in enumerate(characters)}
    symbols: list[int] = []
    lengths = []
    for line in lines:
        known = [code[character] for character in line if character in code]
        symbols += [0, *known, 0]
        lengths.append(len(known) + 2)
    starts = np.cumsum(lengths) - lengths
    places = np.arange(len(symbols)) - np.repeat(starts, lengths)
    return np.array(symbols, np.uint64), places, np.repeat(np.asarray(weights, np.int64), lengths)


def _smooth(orders: list[_Order], symbols: int) -> None:
    """Fill in `probability` and `shorter` from the shortest order up."""
    lower = np.full(1, 1 / symbols)
    for length, current in enumerate(orders, 1):
        counts = current.counts
        if length < len(orders):
            # how many different symbols stand before it; at the edge of a line none can
            longer = orders[length]
            kinds = np.bincount(longer.suffix, minlength=len(counts)).astype(np.float64)
            counts = np.where(kinds > 0, kinds, counts)
            first = current.keys >> np.uint64(8 * (length - 1))
            counts = np.where((first == 0) & (length > 1), current.counts, counts)
        discounts = _discounts(counts)
        taken = discounts[np.minimum(counts, 3).astype(np.int64)]
        contexts = int(current.prefix.max()) + 1
        total = np.bincount(current.prefix, counts, contexts)
        left = np.bincount(current.prefix, taken, contexts)
        current.shorter = lower[current.suffix]
        share = (left / np.maximum(total, 1e-9))[current.prefix]
        own = (counts - taken) / np.maximum(total, 1e-9)[current.prefix]
        current.probability = own + share * current.shorter
        lower = current.probability


def _discounts(counts: Values) -> Values:
    """What is taken from a count of 0, 1, 2, and 3 or more."""
    ones, twos, threes, fours = (max(int((counts == n).sum()), 1) for n in (1, 2, 3, 4))
    share = ones / (ones + 2 * twos)
    found = [0, 1 - 2 * share * twos / ones, 2 - 3 * share * threes / twos]
    found.append(3 - 4 * share * fours / threes)
    return np.clip(found, [0, 0.1, 0.1, 0.1], [0, 0.95, 1.6, 2.4])


def _prune(orders: list[_Order], most: int) -> None:
    """Mark what is kept: the n-grams that add most, with their prefixes and suffixes."""
    gains = [
        current.counts * np.log(current.probability / np.maximum(current.shorter, 1e-12))
        for current in orders
    ]
    low, high = 0.0, max(float(gain.max()) for gain in gains)
    if sum(len(current.keys) for current in orders) <= most:
        high = 0.0
    for _ in range(24 if high else 1):
        middle = (low + high) / 2
        if _keep(orders, gains, middle) > most:
            low = middle
        else:
            high = middle
    _keep(orders, gains, high)


def _keep(orders: list[_Order], gains: list[Values], least: float) -> int:
    """Keep n-grams that gain `least`, and count all that are kept for it."""
    kept = 0
    for length in range(len(orders), 0, -1):
        current = orders[length - 1]
        # backing off may also raise a probability: that tells as much as lowering it
        current.kept = (np.abs(gains[length - 1]) >= least) & (current.counts > 0)
        if length == 1:
            current.kept[:] = True
        elif length < len(orders):
            longer = orders[length]
            current.kept[longer.prefix[longer.kept]] = True
            current.kept[longer.suffix[longer.kept]] = True
        kept += int(current.kept.sum())
    return kept


def _pack(orders: list[_Order], characters: str) -> Ngrams:
    symbols, children, scores, backoffs = [np.zeros(1, np.uint8)], [], [], [np.zeros(1)]
    scores.append(np.zeros(1))
    children.append(np.array([len(characters) + 1]))
    for length, current in enumerate(orders, 1):
        kept = current.kept
        symbols.append((current.keys[kept] & np.uint64(255)).astype(np.uint8))
        scores.append(np.log(np.maximum(current.probability[kept], 1e-12)))
        extended = np.zeros(len(kept), np.int64)
        backoff = np.zeros(len(kept))
        if length < len(orders):
            longer = orders[length]
            prefix = longer.prefix[longer.kept]
            extended = np.bincount(prefix, minlength=len(kept))
            taken = np.bincount(prefix, longer.probability[longer.kept], len(kept))
            shorter = np.bincount(prefix, longer.shorter[longer.kept], len(kept))
            left = np.maximum(1 - taken, 1e-4) / np.maximum(1 - shorter, 1e-4)
            backoff = np.where(extended > 0, np.log(left), 0)
        children.append(extended[kept])
        backoffs.append(backoff[kept])
    return Ngrams(
        characters,
        np.concatenate(symbols),
        np.concatenate(children).astype(np.uint8),
        quantise(np.concatenate(scores)),
        quantise(np.concatenate(backoffs)),
    )
