"""Whether an image that comes alone is read faster by every core or by one."""

import threading

KEPT = 0.9
"""Of what was measured before, when an image is added."""
TRY_EVERY = 32
"""One image in so many takes the slower way, in case it is the faster one by now."""


class Pace:
    """Chooses by what was measured lately. Safe to share by threads.

    Where the machine is idle two cores are nearly twice as fast as one. Where something else
    wants them too, a training above all, the two threads wait for each other and are slower.
    """

    def __init__(self) -> None:
        self._seconds_a_column: dict[bool, float] = {}
        self._turn = 0
        self._lock = threading.Lock()

    def all_cores(self) -> bool:
        """Whether the next image shall have them all."""
        with self._lock:
            self._turn += 1
            known = self._seconds_a_column
            for untried in (True, False):
                if untried not in known:
                    return untried
            faster = known[True] <= known[False]
            return faster != (self._turn % TRY_EVERY == 0)

    def took(self, all_cores: bool, columns: int, seconds: float) -> None:
        """Learn from one image; the time grows with its columns."""
        with self._lock:
            new = seconds / columns
            old = self._seconds_a_column.get(all_cores, new)
            self._seconds_a_column[all_cores] = KEPT * old + (1 - KEPT) * new
