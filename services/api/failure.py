"""A version that could not be put into service: what is said of it, and when it is tried again."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from api.errors import CacheError, EndedError, RegistryError
from api.registry import hidden
from api.schemas import ReloadError
from api.serving import Version
from recognizer.errors import BundleError

log = structlog.get_logger(__name__)

MOST_SECONDS_BETWEEN_RETRIES = 60.0
MOST_DOUBLINGS = 32
"""A version that fails for weeks is tried so often that the power would fit into no float."""


@dataclass(frozen=True)
class Failure:
    version: Version
    from_cache: bool
    attempts: int
    retry_at: float
    """Seconds of `time.monotonic`."""
    error: ReloadError

    @classmethod
    def of(
        cls,
        version: Version,
        why: Exception,
        attempts: int,
        seconds: float,
        *,
        from_cache: bool,
    ) -> "Failure":
        """Log it. The wait is `seconds` after the first attempt, then each time twice as long."""
        expected = isinstance(why, BundleError | RegistryError | CacheError | EndedError)
        reason = hidden(_relative(why) if expected else f"{type(why).__name__}: {why}")
        longer = 2 ** min(attempts - 1, MOST_DOUBLINGS)
        wait = min(seconds * longer, MOST_SECONDS_BETWEEN_RETRIES)
        log.error(
            "model cannot be served",
            version=version.version,
            error=reason,
            retry_in_seconds=wait,
            exc_info=None if expected else why,
        )
        now = datetime.now(UTC)
        error = ReloadError(
            version=version.version,
            at=now,
            error=reason,
            next_retry_at=now + timedelta(seconds=wait),
        )
        return cls(version, from_cache, attempts, time.monotonic() + wait, error)

    def concerns(self, wanted: Version, from_cache: bool) -> bool:
        """A copy damaged on disk says nothing of the version in the registry."""
        return self.version.identity == wanted.identity and self.from_cache == from_cache

    @property
    def waits(self) -> bool:
        """Whether it is too early to try again."""
        return time.monotonic() < self.retry_at


def _relative(error: Exception) -> str:
    """A bundle's error names its file within the bundle: the rest of the path means nothing."""
    text = str(error)
    if isinstance(error, BundleError):
        *_, inside = error.file.rpartition("/bundle/")
        return text.replace(error.file, inside)
    return text
