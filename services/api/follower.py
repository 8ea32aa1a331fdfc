"""Serves in one worker what the first of them has put into service."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from api.board import Board, Notice
from api.cache import Cache
from api.errors import CacheError
from api.failure import Failure
from api.metrics import Metrics
from api.serving import Open, Served, Serving, Status, Version

log = structlog.get_logger(__name__)

SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_AFTER_FAILURE = 2.0
"""After the first one."""


class Follower:
    """A watcher that asks no registry: the version is in the cache, and known to be good."""

    def __init__(
        self,
        serving: Serving,
        board: Board,
        cache: Cache,
        metrics: Metrics,
        open_bundle: Open,
    ) -> None:
        self._serving = serving
        self._board = board
        self._cache = cache
        self._metrics = metrics
        self._open = open_bundle
        self._followed: Notice | None = None
        self._failure: Failure | None = None
        self._swapped = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        wait = 0.0
        while not self._stop.wait(wait):
            wait = SECONDS_BETWEEN_LOOKS
            try:
                notice = self._board.told() or self._before_any()
                if notice and notice != self._followed:
                    self._follow(notice)
            except Exception:  # the next look may do better
                log.exception("notice not followed")

    def _before_any(self) -> Notice | None:
        """What was served last, until something is told."""
        last = None if self._serving.model else self._cache.last()
        if last is None or self._cache.find(last) is None:
            return None
        return Notice(status=Status(), version=last, from_cache=True)

    def _follow(self, notice: Notice) -> None:
        """Serve what is told, or say why not; what has failed is tried later, others at once."""
        version, failure = notice.version, self._failure
        if failure and not (version and failure.concerns(version, from_cache=False)):
            failure = None
        if version and not (failure and failure.waits):
            try:
                self._take(version, from_cache=notice.from_cache)
                failure = None
            except Exception as error:
                self._metrics.swap_failures.inc()
                attempts = failure.attempts + 1 if failure else 1
                failure = Failure.of(
                    version, error, attempts, SECONDS_AFTER_FAILURE, from_cache=False
                )
        self._failure = failure
        status = notice.status
        if failure:
            status = replace(status, reload_error=failure.error)
        else:
            self._followed = notice
        self._serving.status = status

    def _take(self, version: Version, *, from_cache: bool) -> None:
        serving = self._serving
        model = serving.model
        if model is None or model.version.identity != version.identity:
            self._serve(version, from_cache=from_cache)
        else:
            serving.model = replace(model, version=version, from_cache=from_cache)
            if self._swapped:  # by now nothing is read with the version before
                self._swapped = False
                serving.trim()

    def _serve(self, version: Version, *, from_cache: bool) -> None:
        bundle = self._cache.find(version)
        if bundle is None:
            raise CacheError("it is not in the disk cache")
        recognizer = self._open(bundle)
        served = Served(version, recognizer, datetime.now(UTC), from_cache)
        self._serving.model = served
        self._board.serves()
        self._metrics.serves(self._serving.name_of(served))
        log.info("model serves", version=version.version, worker=self._board.number)
        self._swapped = True
