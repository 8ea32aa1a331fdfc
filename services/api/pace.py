"""Whether an image that comes alone is read faster by every core or by one."""

import math
import threading
from collections import defaultdict, deque
from statistics import median

FIRST_PAUSE = 32
"""Images after a change of way until the other is tried again: it may have been a bad moment."""
LONGEST_PAUSE = {True: 2048, False: 256}
"""Twice as many after each try that changes nothing, up to so many: where all cores read, and where
one does. Few tries are enough of the one, as it shows without them when all cores have got slower;
and each of those images takes half as long again."""
WAKING = 3
"""Images after a change of way that are not judged: a core that has slept is slow to join."""
JUDGED = 9
"""The last images of a way by which it is judged, by their median: one that was held up by
something else says nothing of the way."""
TRIES = WAKING + JUDGED
"""In a row."""


class Pace:
    """Chooses by what was measured lately, for each width by itself. Safe to share by threads.

    Where the machine is idle two cores are nearly twice as fast as one. Where something else
    wants them too, a training above all, the two threads wait for each other and are slower. So
    they are where images are so far apart that the second core must be woken for each; and a
    narrow image gains less by them than a wide one.
    """

    def __init__(self) -> None:
        self._ways: defaultdict[int, _Ways] = defaultdict(_Ways)
        self._lock = threading.Lock()

    def all_cores(self, columns: int) -> bool:
        """Whether the next image, which is of this width, shall have them all."""
        with self._lock:
            return self._ways[columns].next()

    def took(self, all_cores: bool, columns: int, seconds: float) -> None:
        """Learn from one image."""
        with self._lock:
            self._ways[columns].took(all_cores, seconds)


class _Ways:
    """What the images of one width took by either way: all cores, or one."""

    def __init__(self) -> None:
        self._seconds: dict[bool, deque[float]] = {
            way: deque(maxlen=JUDGED) for way in (True, False)
        }
        self._begun = 0
        self._faster = True
        self._since = 0
        self._pause = FIRST_PAUSE
        self._way = True
        self._in_a_row = 0

    def next(self) -> bool:
        if self._begun < 2 * TRIES:
            self._begun += 1
            return self._begun <= TRIES
        faster = self._usual(True) <= self._usual(False)
        if faster != self._faster:
            self._faster, self._since, self._pause = faster, 0, FIRST_PAUSE
        self._since += 1
        if self._since <= self._pause:
            return faster
        if self._since == self._pause + TRIES:
            self._since, self._pause = 0, min(2 * self._pause, LONGEST_PAUSE[faster])
        return not faster

    def took(self, way: bool, seconds: float) -> None:
        if way != self._way:
            self._way, self._in_a_row = way, 0
        self._in_a_row += 1
        if self._in_a_row > WAKING:
            self._seconds[way].append(seconds)

    def _usual(self, way: bool) -> float:
        return median(self._seconds[way] or [math.inf])
