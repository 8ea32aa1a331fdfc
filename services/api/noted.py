"""Numbers of requests, noted at once and counted later: many take little more than one.

To count in the middle of a request takes several times as long as the adding up: neither the code
nor the numbers are in the processor's caches. And a thread that has read an image would hold the
interpreter's lock meanwhile, for which the event loop waits that has to answer.
"""

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import prometheus_client

Key = TypeVar("Key")


class Noted(Generic[Key]):
    """Values that wait to be counted, each under a key. Safe to share by threads."""

    def __init__(self) -> None:
        self._values: deque[tuple[Key, float]] = deque()

    def note(self, key: Key, value: float) -> None:
        """Keep a value until somebody takes it."""
        self._values.append((key, value))

    def take(self) -> Mapping[Key, Sequence[float]]:
        """All that were noted until now, for whoever asks first."""
        found: defaultdict[Key, list[float]] = defaultdict(list)
        try:
            for _ in range(len(self._values)):
                key, value = self._values.popleft()
                found[key].append(value)
        except IndexError:
            pass  # another thread took the last ones
        return found


class Histogram(prometheus_client.Histogram):
    """One that takes many values at a time."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """`observe` each."""
        self._sum.inc(sum(amounts))
        found = Counter(bisect_left(self._upper_bounds, amount) for amount in amounts)
        for bucket, number in found.items():
            self._buckets[bucket].inc(number)


class Series:
    """A histogram as those see it who have no time to count."""

    def __init__(self, histogram: Histogram, noted: Noted[Histogram]) -> None:
        self._histogram = histogram
        self._noted = noted

    def observe(self, amount: float) -> None:
        """Let it have this value when it is counted."""
        self._noted.note(self._histogram, amount)
