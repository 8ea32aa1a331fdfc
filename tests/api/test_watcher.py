"""What follows the registry, with a registry of the test's own."""

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api import follower
from api.board import Board
from api.cache import Cache
from api.errors import RegistryError
from api.follower import Follower
from api.metrics import Metrics
from api.registry import Answer, Registry
from api.serving import Serving, Version
from api.watcher import MOST_SECONDS_BETWEEN_RETRIES, Failure, Watcher
from calls import VERSION
from recognizer.address import Address
from recognizer.recognizer import Recognizer
from servers import wait

URI, MODEL = "http://registry", "models:/handwriting/Production"


class Named(Registry):
    """Names one version, and delivers copies of one bundle."""

    def __init__(self, bundle: Path) -> None:
        super().__init__(URI, Address.parse(MODEL))
        self.downloads = 0
        self.broken = False
        self._bundle = bundle

    def resolve(self) -> Answer:
        return Answer(VERSION, None, None)

    def metrics(self, version: Version) -> dict[str, float]:
        return {"cer": 0.1}

    def download(self, version: Version, into: Path) -> Path:
        self.downloads += 1
        if self.broken:
            raise RegistryError("no such file")
        return Path(shutil.copytree(self._bundle, into / "bundle"))


class Followed:
    """A watcher that polls when the test says so, and what is around it."""

    def __init__(self, bundle: Path, cache: Path) -> None:
        self.registry = Named(bundle)
        self.cache = Cache(cache, URI, MODEL)
        self.serving = Serving(Address.parse(MODEL), 0.05)
        self.metrics = Metrics()
        self.watcher = Watcher(
            self.serving, self.registry, self.cache, self.metrics, Recognizer.load
        )

    def count(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"handwriting_model_{name}_total")


@pytest.fixture
def followed(bundle: Callable[..., Path], tmp_path: Path) -> Followed:
    return Followed(bundle("a"), tmp_path / "cache")


def test_a_bundle_that_is_gone_from_the_cache_is_fetched_again(
    followed: Followed, tmp_path: Path
) -> None:
    followed.watcher.poll()
    model = followed.serving.model
    assert model
    followed.watcher.poll()
    assert followed.registry.downloads == 1

    shutil.rmtree(tmp_path / "cache")
    followed.watcher.poll()
    assert followed.cache.find(VERSION)
    assert followed.cache.last() == model.version  # for a start without the registry
    assert followed.serving.model is model
    assert (followed.registry.downloads, followed.count("swaps")) == (2, 1)


def test_one_that_cannot_be_fetched_again_is_tried_later(
    followed: Followed, tmp_path: Path
) -> None:
    followed.watcher.poll()
    model = followed.serving.model
    shutil.rmtree(tmp_path / "cache")
    followed.registry.broken = True
    for _ in range(3):
        followed.watcher.poll()
    error = followed.serving.status.reload_error
    assert error
    assert error.error == "no such file"
    assert followed.count("swap_failures") == 1  # not at every poll
    assert followed.serving.model is model

    followed.registry.broken = False
    time.sleep(0.06)
    followed.watcher.poll()
    assert followed.cache.find(VERSION)
    assert followed.serving.status.reload_error is None


def test_a_version_that_has_failed_for_weeks_is_tried_on(followed: Followed) -> None:
    followed.watcher._failure = Failure(VERSION, False, attempts=2000, retry_at=0.0)
    followed.registry.broken = True
    followed.watcher.poll()
    error = followed.serving.status.reload_error
    assert error
    waits = error.next_retry_at - datetime.now(UTC)
    assert waits == pytest.approx(
        timedelta(seconds=MOST_SECONDS_BETWEEN_RETRIES), abs=timedelta(seconds=5)
    )


def test_another_worker_serves_once_the_bundle_is_there_again(
    followed: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "SECONDS_AFTER_FAILURE", 0.05)
    folder = tmp_path / "board"
    folder.mkdir()
    followed.watcher.poll()
    shutil.rmtree(tmp_path / "cache")
    Board(folder, 0, 2).tell(followed.serving)
    serving, metrics = Serving(Address.parse(MODEL), 0.05), Metrics()
    other = Follower(serving, Board(folder, 1, 2), followed.cache, metrics, Recognizer.load)
    other.start()
    try:
        name = "handwriting_model_swap_failures_total"
        wait(lambda: bool(metrics.registry.get_sample_value(name)))
        assert serving.model is None
        followed.watcher.poll()
        wait(lambda: serving.model is not None)
    finally:
        other.stop()
