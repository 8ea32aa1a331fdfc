"""Which images may enter: a bounded number, so that what is accepted is answered in time."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from api.errors import DrainingError, OverloadedError
from api.metrics import Metrics

log = structlog.get_logger(__name__)

FORGET_SECONDS = 5.0
"""Time constant of the measured rate, in seconds of full work."""
SLOWED = 0.5
"""Of the usual rate, while a version is opened."""
SECONDS_BETWEEN_WARNINGS = 10.0
MOST_RETRY_SECONDS = 60
MOST_PROMISED = 128_000_000
"""Bytes of bodies that may be on their way or in memory at a time, in one worker."""


class Admission:
    """Counts the images inside, measures how fast they leave, and refuses what would wait long.

    At most `most` images are inside at a time. Fewer where that many would take longer than
    `seconds` at the rate measured, though never fewer than `least`. Used on the event loop alone,
    but for `slowed`.
    """

    def __init__(self, most: int, seconds: float, least: int, metrics: Metrics) -> None:
        self.draining = False
        self._most = most
        self._seconds = seconds
        self._least = min(least, most)
        self._metrics = metrics
        self._requests = 0
        self._promised = 0
        self._inside = 0
        self._full_since: float | None = None
        self._left = 0.0
        self._full_seconds = 0.0
        self._refused = 0
        self._warned = -math.inf
        self._slowed = False
        metrics.queue_limit.set(most)

    @property
    def inside(self) -> int:
        return self._inside

    @property
    def requests(self) -> int:
        """Requests to read that are being answered, those that still arrive too."""
        return self._requests

    @property
    def rate(self) -> float | None:
        """Images a second, measured while more were inside than can be read at once."""
        # a moment says little: two batches that end together would promise any rate
        return self._left / self._full_seconds if self._full_seconds > 0.2 else None

    @property
    def limit(self) -> int:
        rate = self.rate
        if rate is None:
            return self._most
        seconds = self._seconds * SLOWED if self._slowed else self._seconds
        return min(self._most, max(self._least, int(rate * seconds)))

    @property
    def retry_after(self) -> int:
        """Whole seconds until what is inside now has been read."""
        rate = self.rate
        wait = self._inside / rate if rate else 0.0
        return min(max(1, math.ceil(wait)), MOST_RETRY_SECONDS)

    @contextmanager
    def slowed(self) -> Iterator[None]:
        """Within, in any thread, something else takes much of the processor, for a second or two.

        That is over before the rate that is measured says so, and whoever is let in meanwhile
        would wait for as much longer.
        """
        self._slowed = True
        try:
            yield
        finally:
            self._slowed = False

    def check(self, promised: int = 0) -> None:
        """Refuse a request that cannot enter now.

        Args:
            promised: bytes of its body, see `uploads.promised`. The queue may be empty while
                many clients send theirs slowly. Where nothing else is on its way any body may be.

        Raises:
            OverloadedError: as many images are inside as may be, or as many bytes on their way.
            DrainingError: the service is stopping.
        """
        if self.draining:
            self._refuse("draining")
            raise DrainingError("The service is being stopped; ask again.", retry_after=1)
        self.check_room()
        if promised and self._promised and self._promised + promised > MOST_PROMISED:
            self._refuse("uploads")
            raise OverloadedError(
                f"Too much is being uploaded already; ask again in {self.retry_after} s.",
                retry_after=self.retry_after,
            )

    def check_room(self) -> None:
        """Refuse an image where as many are inside as may be. Raises `OverloadedError`."""
        if self._inside >= self.limit:
            self._refuse("queue")
            raise OverloadedError(
                f"{self._inside} images are waiting already; ask again in {self.retry_after} s.",
                retry_after=self.retry_after,
            )

    @contextmanager
    def request(self, promised: int = 0) -> Iterator[None]:
        """Count one request, and the bytes of its body, until it is answered."""
        self._requests += 1
        self._promised += promised
        try:
            yield
        finally:
            self._requests -= 1
            self._promised -= promised

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Hold a place for one image."""
        self._inside += 1
        self._metrics.inside = self._inside
        if self._full_since is None and self._inside > self._least:
            self._full_since = time.perf_counter()
        try:
            yield
            # one that is refused, or whose client went away, took less work than the others
            self._has_read()
        finally:
            self._inside -= 1
            self._metrics.inside = self._inside
            if self._inside <= self._least:
                self._full_since = None

    def late(self, seconds: float) -> OverloadedError:
        """What to raise for an image that was not read within its deadline, `seconds`."""
        self._refuse("deadline")
        return OverloadedError(
            f"The image was not read within {seconds:g} s; ask again in {self.retry_after} s.",
            retry_after=self.retry_after,
        )

    def _has_read(self) -> None:
        """An image leaves: after how much full work, and so at which rate."""
        if self._full_since is None:
            return
        now = time.perf_counter()
        spent = now - self._full_since
        self._full_since = now
        kept = math.exp(-spent / FORGET_SECONDS)
        self._left = self._left * kept + 1
        self._full_seconds = self._full_seconds * kept + spent
        self._metrics.queue_limit.set(self.limit)

    def _refuse(self, reason: str) -> None:
        self._metrics.shed.labels(reason).inc()
        self._refused += 1
        now = time.monotonic()
        if now - self._warned > SECONDS_BETWEEN_WARNINGS:
            log.warning(
                "requests refused", reason=reason, refused=self._refused, inside=self._inside
            )
            self._warned, self._refused = now, 0
