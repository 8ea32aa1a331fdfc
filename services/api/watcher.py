"""Follows the registry and swaps versions, in a thread of its own."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from api.cache import Cache
from api.errors import CacheError, RegistryError
from api.metrics import Metrics
from api.registry import Registry, hidden
from api.schemas import ReloadError
from api.serving import Open, Served, Serving, Version
from recognizer.errors import BundleError
from recognizer.recognizer import Recognizer

log = structlog.get_logger(__name__)

MOST_SECONDS_BETWEEN_RETRIES = 60.0
MOST_DOUBLINGS = 32
"""A version that fails for weeks is tried so often that the power would fit into no float."""


@dataclass(frozen=True)
class Failure:
    """A version that could not be put into service, and when to try it again."""

    version: Version
    from_cache: bool
    attempts: int
    retry_at: float
    """Seconds of `time.monotonic`."""

    def concerns(self, wanted: Version, from_cache: bool) -> bool:
        """A copy damaged on disk says nothing of the version in the registry."""
        return self.version.identity == wanted.identity and self.from_cache == from_cache


class Watcher:
    """Keeps `serving.model` at the version that the registry names."""

    def __init__(
        self,
        serving: Serving,
        registry: Registry,
        cache: Cache,
        metrics: Metrics,
        open_bundle: Open,
        tell: Callable[[Serving], None] = lambda serving: None,
    ) -> None:
        """`tell`: called when something may be different from what it was."""
        self._serving = serving
        self._registry = registry
        self._cache = cache
        self._metrics = metrics
        self._open = open_bundle
        self._tell = tell
        self._failure: Failure | None = None
        self._swapped = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; not waiting long, as it may hang in a call to the registry."""
        self._stop.set()
        self._thread.join(timeout=2)
        self._registry.close()

    def _run(self) -> None:
        # what was served last, before the registry is asked: that takes seconds, or is in vain
        self._follow(self._cache.last(), from_cache=True)
        self._tell(self._serving)
        while not self._stop.is_set():
            try:
                if self._swapped:  # by now nothing is read with the version before
                    self._swapped = False
                    self._serving.trim()
                self.poll()
            except Exception:  # whatever it is, the next poll may do better
                log.exception("poll failed")
            self._tell(self._serving)
            self._stop.wait(self._serving.poll_seconds)

    def poll(self) -> None:
        """Ask the registry once and follow what it says."""
        serving = self._serving
        try:
            answer = self._registry.resolve()
        except RegistryError as error:
            self._metrics.registry_up.set(0)
            self._say("registry unreachable", serving.status.registry_error, str(error))
            serving.note(registry_error=f"{error}.")
            if serving.model is None:
                self._follow(self._cache.last(), from_cache=True)
            return
        self._metrics.registry_up.set(1)
        self._say("nothing to serve", serving.status.waiting_for, answer.missing)
        serving.note(
            polled_at=datetime.now(UTC),
            registry_error=None,
            waiting_for=answer.missing,
            gate=answer.gate,
        )
        self._follow(answer.version)

    def _follow(self, wanted: Version | None, *, from_cache: bool = False) -> None:
        """Serve `wanted`, unless it is served already or failed a short while ago."""
        if wanted is None:
            if not from_cache:
                self._serving.note(reload_error=None)
            return
        model = self._serving.model
        served = model is not None and model.version.identity == wanted.identity
        if model and served and self._confirmed(model, wanted):
            return
        failure = self._failure
        if failure and not failure.concerns(wanted, from_cache):
            failure = self._failure = None
        if failure and time.monotonic() < failure.retry_at:
            return
        try:
            if served:
                self._keep_again(wanted)
            else:
                self._swap(wanted, from_cache=from_cache)
        except Exception as error:
            self._fail(wanted, error, from_cache=from_cache)

    def _confirmed(self, model: Served, wanted: Version) -> bool:
        """The registry names what is served: take over what it says of it by now.

        False where its bundle is gone from the cache, which other workers read and a start needs.
        """
        metrics = model.version.metrics
        if model.from_cache:
            try:
                metrics = self._registry.metrics(wanted)
            except RegistryError:
                return True  # not confirmed before the registry has answered in full
        version = wanted.model_copy(update={"metrics": metrics})
        if model.from_cache or version != model.version:
            self._serving.model = replace(model, version=version, from_cache=False)
        if self._cache.find(wanted) is None:
            return False
        self._failure = None
        self._serving.note(reload_error=None)
        return True

    def _keep_again(self, wanted: Version) -> None:
        """Fetch what is served, and go on with what is in memory."""
        log.warning("cached bundle is gone", version=wanted.version)
        self._from_registry(wanted)
        self._cache.remember(self._serving.model.version if self._serving.model else wanted)
        self._failure = None
        self._serving.note(reload_error=None)

    def _swap(self, wanted: Version, *, from_cache: bool) -> None:
        started = time.monotonic()
        recognizer = self._from_cache(wanted)
        if recognizer is None and from_cache:
            raise CacheError("its copy in the disk cache is gone or damaged")
        if not from_cache:
            metrics = self._registry.metrics(wanted)
            wanted = wanted.model_copy(update={"metrics": metrics})
        if recognizer is None:
            recognizer = self._from_registry(wanted)
        if not from_cache:
            self._cache.remember(wanted)
        served = Served(wanted, recognizer, datetime.now(UTC), from_cache)
        self._serving.model = served
        self._swapped = True
        self._failure = None
        self._serving.note(reload_error=None)
        self._metrics.serves(self._serving.name_of(served))
        self._metrics.swaps.inc()
        log.info(
            "model serves",
            version=wanted.version,
            from_cache=from_cache,
            seconds=round(time.monotonic() - started, 3),
        )
        if not from_cache:
            self._cache.prune()

    def _from_cache(self, wanted: Version) -> Recognizer | None:
        entry = self._cache.find(wanted)
        if entry is None:
            return None
        try:
            return self._open(entry)
        except BundleError as error:
            log.warning("cached bundle damaged", version=wanted.version, error=str(error))
            self._cache.drop(wanted)
            return None

    def _from_registry(self, wanted: Version) -> Recognizer:
        with self._cache.staging() as staging:
            bundle = self._registry.download(wanted, staging)
            recognizer = self._open(bundle)
            self._cache.keep(bundle, wanted)
        return recognizer

    def _fail(self, wanted: Version, error: Exception, *, from_cache: bool) -> None:
        """Keep what is served; try again later, each time after twice as long."""
        self._metrics.swap_failures.inc()
        attempts = self._failure.attempts + 1 if self._failure else 1
        longer = 2 ** min(attempts - 1, MOST_DOUBLINGS)
        wait = min(self._serving.poll_seconds * longer, MOST_SECONDS_BETWEEN_RETRIES)
        self._failure = Failure(wanted, from_cache, attempts, time.monotonic() + wait)
        now = datetime.now(UTC)
        known = isinstance(error, BundleError | RegistryError | CacheError)
        reason = _relative(error) if known else f"{type(error).__name__}: {error}"
        self._serving.note(
            reload_error=ReloadError(
                version=wanted.version,
                at=now,
                error=hidden(reason),
                next_retry_at=now + timedelta(seconds=wait),
            )
        )
        log.error(
            "model cannot be served",
            version=wanted.version,
            error=hidden(reason),
            retry_in_seconds=wait,
            exc_info=not known,
        )

    def _say(self, event: str, before: str | None, now: str | None) -> None:
        """Log a trouble once, not at every poll."""
        if now and (before is None or now not in before):
            log.warning(event, reason=now)


def _relative(error: Exception) -> str:
    """A bundle's error names its file within the bundle: the rest of the path means nothing."""
    text = str(error)
    if isinstance(error, BundleError):
        *_, inside = error.file.rpartition("/bundle/")
        return text.replace(error.file, inside)
    return text
