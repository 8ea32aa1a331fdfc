"""Follows the registry and swaps versions, in a thread of its own."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from api.cache import Cache
from api.errors import CacheError, EndedError, RegistryError
from api.failure import Failure
from api.metrics import Metrics
from api.registry import Registry
from api.serving import Open, Served, Serving, Version
from recognizer.errors import DamagedError
from recognizer.recognizer import Recognizer

log = structlog.get_logger(__name__)


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
        self._go_on_after(self.begin)
        while not self._stop.is_set():
            self._go_on_after(self._trim)
            self._go_on_after(self.poll)
            self._stop.wait(self._serving.poll_seconds)

    def _go_on_after(self, step: Callable[[], None]) -> None:
        """Whatever happens, the next poll may do better: nobody would follow after this thread."""
        for each in (step, lambda: self._tell(self._serving)):
            try:
                each()
            except Exception:
                log.exception("poll failed")

    def _trim(self) -> None:
        if self._swapped:  # by now nothing is read with the version before
            self._swapped = False
            self._serving.trim()

    def begin(self) -> None:
        """Serve what was served last before the registry is asked: that takes long, or is vain."""
        self._follow(self._cache.last(), from_cache=True)
        opening = self._cache.opening()
        if opening:  # else each worker in turn would open it as its first deed, and end
            ended = EndedError("the process ended while it opened this version")
            self._fail(opening.version, ended, attempts=opening.attempts, from_cache=False)

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
        failure = self._failure
        if failure and not failure.concerns(wanted, from_cache):
            failure = self._failure = None
            if not from_cache:
                self._cache.unmark()
        model = self._serving.model
        served = model is not None and model.version.identity == wanted.identity
        if model and served and self._confirmed(model, wanted):
            return
        if failure and failure.waits:
            return
        try:
            if served:
                self._keep_again(wanted)
            else:
                self._swap(wanted, from_cache=from_cache)
        except Exception as error:
            self._fail(wanted, error, attempts=self._attempts, from_cache=from_cache)

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
        self._cache.confirm()
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
        recognizer = self._from_cache(wanted, known=from_cache)
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

    def _from_cache(self, wanted: Version, *, known: bool) -> Recognizer | None:
        """`known`: it was served last, and nothing else is there to be served."""
        entry = self._cache.find(wanted)
        if entry is None:
            return None
        try:
            return self._open(entry) if known else self._open_new(entry, wanted)
        except DamagedError as error:  # of any other it may be the only good copy
            log.warning("cached bundle damaged", version=wanted.version, error=str(error))
            self._cache.drop(wanted)
            return None

    def _from_registry(self, wanted: Version) -> Recognizer:
        with self._cache.staging() as staging:
            bundle = self._registry.download(wanted, staging)
            recognizer = self._open_new(bundle, wanted)
            self._cache.keep(bundle, wanted)
        return recognizer

    def _open_new(self, bundle: Path, wanted: Version) -> Recognizer:
        """Open what may end the whole process, by its size or by a fault of onnxruntime."""
        with self._cache.marked(wanted, self._attempts):
            return self._open(bundle)

    @property
    def _attempts(self) -> int:
        """Those to serve what is wanted, with the one that is made now."""
        return self._failure.attempts + 1 if self._failure else 1

    def _fail(self, wanted: Version, why: Exception, *, attempts: int, from_cache: bool) -> None:
        """Keep what is served; try again later, each time after twice as long."""
        self._metrics.swap_failures.inc()
        seconds = self._serving.poll_seconds
        self._failure = Failure.of(wanted, why, attempts, seconds, from_cache=from_cache)
        self._serving.note(reload_error=self._failure.error)

    def _say(self, event: str, before: str | None, now: str | None) -> None:
        """Log a trouble once, not at every poll."""
        if now and (before is None or now not in before):
            log.warning(event, reason=now)
