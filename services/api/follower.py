"""Serves in one worker what the first of them has put into service."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from api.board import Board, Notice
from api.cache import Cache
from api.metrics import Metrics
from api.serving import Open, Served, Serving, Version

log = structlog.get_logger(__name__)

SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_AFTER_FAILURE = 2.0


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
                notice = self._board.told()
                if notice is None:
                    self._start(self._cache.last())
                elif notice != self._followed:
                    self._follow(notice)
                    self._followed = notice
            except Exception:  # the next look may do better
                log.exception("version not taken over")
                self._metrics.swap_failures.inc()
                wait = SECONDS_AFTER_FAILURE

    def _start(self, version: Version | None) -> None:
        """Before anything is told: what was served last."""
        if version and self._serving.model is None and self._cache.find(version):
            self._serve(version, from_cache=True)

    def _follow(self, notice: Notice) -> None:
        serving, version = self._serving, notice.version
        model = serving.model
        if version is None:
            serving.status = notice.status
            return
        if model is None or model.version.identity != version.identity:
            self._serve(version, from_cache=notice.from_cache)
        else:
            serving.model = replace(model, version=version, from_cache=notice.from_cache)
            if self._swapped:  # by now nothing is read with the version before
                self._swapped = False
                self._serving.trim()
        serving.status = notice.status

    def _serve(self, version: Version, *, from_cache: bool) -> None:
        bundle = self._cache.find(version)
        if bundle is None:
            raise FileNotFoundError(f"version {version.version} is not in the cache")
        recognizer = self._open(bundle)
        served = Served(version, recognizer, datetime.now(UTC), from_cache)
        self._serving.model = served
        self._board.serves()
        self._metrics.serves(self._serving.name_of(served))
        log.info("model serves", version=version.version, worker=self._board.number)
        self._swapped = True
