"""Whether an image that comes alone is read faster by every core or by one."""

import math
import threading
from collections import defaultdict, deque
from statistics import median

TRY_EVERY = 256
"""Of so many images the last few take the slower way, in case it is the faster one by now."""
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
        self._turn = 0
        self._way = True
        self._in_a_row = 0

    def next(self) -> bool:
        self._turn += 1
        if self._turn <= 2 * TRIES:
            return self._turn <= TRIES
        faster = self._usual(True) <= self._usual(False)
        trying = self._turn % TRY_EVERY >= TRY_EVERY - TRIES
        return faster != trying

    def took(self, way: bool, seconds: float) -> None:
        if way != self._way:
            self._way, self._in_a_row = way, 0
        self._in_a_row += 1
        if self._in_a_row > WAKING:
            self._seconds[way].append(seconds)

    def _usual(self, way: bool) -> float:
        return median(self._seconds[way] or [math.inf])
