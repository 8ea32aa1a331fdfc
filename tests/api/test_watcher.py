"""What follows the registry, with a registry of the test's own."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from api import follower
from api.board import Board
from api.cache import Cache
from api.errors import RegistryError
from api.failure import MOST_SECONDS_BETWEEN_RETRIES, Failure
from api.follower import Follower
from api.metrics import Metrics
from api.registry import Answer, Registry, _parsed
from api.serving import Serving, Version
from api.watcher import Watcher
from bundles import damage
from calls import VERSION
from recognizer.address import Address
from recognizer.errors import BundleError
from recognizer.recognizer import Recognizer
from servers import wait

URI, MODEL = "http://registry", "models:/handwriting/Production"


class Named(Registry):
    """Names one version, and delivers copies of one bundle."""

    def __init__(self, bundle: Path) -> None:
        super().__init__(URI, Address.parse(MODEL))
        self.downloads = 0
        self.broken = False
        self.version = VERSION
        self._bundle = bundle

    def resolve(self) -> Answer:
        return Answer(self.version, None, None)

    def metrics(self, version: Version) -> dict[str, float]:
        return {"cer": 0.1}

    def download(self, version: Version, into: Path) -> Path:
        self.downloads += 1
        if self.broken:
            raise RegistryError("no such file")
        return Path(shutil.copytree(self._bundle, into / "bundle"))


class Followed:
    """A watcher that polls when the test says so, and what is around it."""

    def __init__(
        self, bundle: Path, cache: Path, tell: Callable[[Serving], None] = lambda serving: None
    ) -> None:
        self.registry = Named(bundle)
        self.opens = Recognizer.load
        self.cache = Cache(cache, URI, MODEL)
        self.serving = Serving(Address.parse(MODEL), 0.05)
        self.metrics = Metrics()
        self.watcher = Watcher(
            self.serving, self.registry, self.cache, self.metrics, self.opened, tell
        )

    def opened(self, path: Path) -> Recognizer:
        return self.opens(path)

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
    failure = Failure.of(VERSION, RegistryError("no"), 2000, 0.05, from_cache=False)
    followed.watcher._failure = replace(failure, retry_at=0.0)
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


NEXT = VERSION.model_copy(update={"version": "2"})


class Killed(BaseException):
    """Stands for a signal that nothing in the process sees."""


def kills(path: Path) -> Recognizer:
    raise Killed


def start_that_dies(bundle: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends while it opens the next version: nothing after that is done."""
    followed = Followed(bundle, cache)
    followed.watcher.begin()
    failure = followed.watcher._failure
    if failure:
        followed.watcher._failure = replace(failure, retry_at=0.0)
    followed.registry.version = NEXT
    followed.opens = kills
    with monkeypatch.context() as patch:
        patch.setattr(Cache, "unmark", lambda self: None)
        with pytest.raises(Killed):
            followed.watcher.poll()


def test_a_version_that_ends_the_process_is_not_opened_at_once_by_the_next(
    bundle: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, cache = bundle("a"), tmp_path / "cache"
    Followed(made, cache).watcher.poll()
    waits = []
    for _ in range(3):
        start_that_dies(made, cache, monkeypatch)
        followed = Followed(made, cache)
        followed.serving.poll_seconds = 5.0
        followed.registry.version = NEXT
        followed.watcher.begin()
        followed.watcher.poll()
        assert followed.serving.model
        assert followed.serving.model.version.version == "1"
        assert followed.registry.downloads == 0
        error = followed.serving.status.reload_error
        assert error
        assert (error.version, error.error) == (
            "2",
            "the process ended while it opened this version",
        )
        waits.append((error.next_retry_at - error.at).total_seconds())
    assert waits == pytest.approx([5, 10, 20])

    assert followed.watcher._failure
    followed.watcher._failure = replace(followed.watcher._failure, retry_at=0.0)
    followed.watcher.poll()  # the machine has room for it now
    assert followed.serving.model.version.version == "2"
    assert followed.cache.opening() is None


@pytest.mark.parametrize("broken", [False, True])
def test_a_version_that_opens_or_fails_leaves_no_mark(
    followed: Followed, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    def fails(path: Path) -> Recognizer:
        assert followed.cache.opening()
        raise BundleError(path, "no")

    if broken:
        followed.opens = fails
    followed.watcher.poll()
    assert (followed.serving.model is None) is broken
    assert followed.cache.opening() is None


def test_the_mark_of_a_version_that_is_wanted_no_more_goes(
    bundle: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, cache = bundle("a"), tmp_path / "cache"
    Followed(made, cache).watcher.poll()
    start_that_dies(made, cache, monkeypatch)
    followed = Followed(made, cache)
    followed.watcher.begin()
    followed.watcher.poll()  # version 1 is named again
    assert followed.serving.status.reload_error is None
    assert followed.cache.opening() is None


def test_the_registry_is_followed_on_where_the_others_cannot_be_told(
    bundle: Callable[..., Path], tmp_path: Path
) -> None:
    told = []

    def tell(serving: Serving) -> None:
        told.append(serving)
        raise ValueError("no JSON")

    followed = Followed(bundle("a"), tmp_path / "cache", tell)
    followed.watcher.start()
    try:
        wait(lambda: len(told) > 2 and followed.serving.model is not None)
    finally:
        followed.watcher.stop()


@pytest.mark.parametrize(
    ("tag", "parsed"),
    [
        ('{"decision": "promoted"}', {"decision": "promoted"}),
        (r'{"a": "\ud800"}', None),
        ('{"a":' * 199 + "1" + "}" * 199, None),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, None),
    ],
    ids=["plain", "lone surrogate", "deep", "very deep"],
)
def test_what_the_gate_said_is_left_out_where_it_cannot_be_told(
    tag: str, parsed: dict[str, str] | None
) -> None:
    assert _parsed(tag) == parsed


def test_a_cached_copy_that_cannot_be_opened_just_now_stays(followed: Followed) -> None:
    followed.watcher.poll()
    followed.serving.model = None

    def short(path: Path) -> Recognizer:
        raise BundleError(path / "model.onnx", "cannot be opened: Too many open files")

    followed.opens = short
    followed.registry.broken = True
    followed.watcher.poll()
    assert followed.cache.find(VERSION)
    error = followed.serving.status.reload_error
    assert error
    assert error.error == "model.onnx: cannot be opened: Too many open files"

    followed.opens = Recognizer.load
    time.sleep(0.06)
    followed.watcher.poll()
    assert followed.serving.model
    assert followed.registry.downloads == 1


def test_one_that_is_damaged_is_fetched_again(followed: Followed) -> None:
    followed.watcher.poll()
    followed.serving.model = None
    copy = followed.cache.find(VERSION)
    assert copy
    damage(copy)
    followed.watcher.poll()
    assert followed.serving.model
    assert followed.registry.downloads == 2


def test_another_worker_says_why_it_does_not_follow(
    followed: Followed, bundle: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "SECONDS_AFTER_FAILURE", 0.1)
    monkeypatch.setattr(follower, "SECONDS_BETWEEN_LOOKS", 0.01)
    folder = tmp_path / "board"
    folder.mkdir()
    board = Board(folder, 0, 2)
    followed.watcher.poll()
    opened: list[float] = []

    def short(path: Path) -> Recognizer:
        opened.append(time.monotonic())
        if len(opened) < 4:
            raise BundleError(path / "model.onnx", "cannot be opened: no memory")
        return Recognizer.load(path)

    serving = Serving(Address.parse(MODEL), 0.05)
    other = Follower(serving, Board(folder, 1, 2), followed.cache, Metrics(), short)
    other.start()
    try:
        board.tell(followed.serving)
        wait(lambda: serving.status.reload_error is not None)
        error = serving.status.reload_error
        assert error
        assert error.version == VERSION.version
        assert error.error.endswith("cannot be opened: no memory")
        followed.serving.note(registry_error="away")  # what is told meanwhile is said, too
        board.tell(followed.serving)
        wait(lambda: serving.status.registry_error == "away" or serving.model is not None)
        wait(lambda: serving.model is not None)
        wait(lambda: serving.status == followed.serving.status)
    finally:
        other.stop()
    gaps = [after - before for before, after in pairwise(opened)]
    assert all(gap >= least for gap, least in zip(gaps, (0.1, 0.2, 0.4), strict=True))
