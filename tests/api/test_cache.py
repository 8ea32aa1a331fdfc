"""Bundles on disk: what is kept, and what is none of ours."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from api.cache import Cache
from calls import VERSION

VERSIONS = [VERSION.model_copy(update={"version": str(number)}) for number in range(1, 5)]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", "http://registry", "models:/handwriting/Production")


def test_the_two_newest_bundles_are_kept(cache: Cache, bundle: Callable[..., Path]) -> None:
    for version in VERSIONS:
        cache.keep(bundle("a"), version)
        cache.remember(version)
        cache.prune()
    found = [cache.find(version) is not None for version in VERSIONS]
    assert found == [False, False, True, True]


def test_what_others_keep_in_the_same_directory_stays(
    cache: Cache, bundle: Callable[..., Path], tmp_path: Path
) -> None:
    others = ["datasets/hooker", "datasets/run-0123456789ab", "corrections/one", "models/1-abc"]
    for other in others:
        (tmp_path / "cache" / other).mkdir(parents=True)
        (tmp_path / "cache" / other / "page.xml").touch()
    unnamed = tmp_path / "cache" / "mine" / "bundle"
    unnamed.parent.mkdir()
    bundle("b").rename(unnamed)  # a bundle, but none that was put there by a cache
    cache.keep(bundle("a"), VERSION)  # and no record names it
    cache.prune()
    assert cache.find(VERSION) is None
    assert all((tmp_path / "cache" / other / "page.xml").exists() for other in others)
    assert unnamed.is_dir()


def test_what_nobody_has_used_for_a_month_goes(
    cache: Cache, bundle: Callable[..., Path], tmp_path: Path
) -> None:
    others = [
        Cache(tmp_path / "cache", "http://registry", f"models:/handwriting/{number}")
        for number in range(1, 4)
    ]
    for other, version in zip(others, VERSIONS, strict=False):
        other.keep(bundle("a"), version)
        other.remember(version)
    month_ago = time.time() - 31 * 24 * 3600
    for record in (tmp_path / "cache").glob("resolved-*.json"):
        os.utime(record, (month_ago, month_ago))
    others[1].confirm()  # by a process that has served it all the time
    assert others[2].last() == VERSIONS[2]  # by one that starts without the registry

    cache.keep(bundle("a"), VERSIONS[3])
    cache.remember(VERSIONS[3])
    cache.prune()
    found = [cache.find(version) is not None for version in VERSIONS]
    assert found == [False, True, True, True]
    assert [other.last() for other in others] == [None, *VERSIONS[1:3]]
