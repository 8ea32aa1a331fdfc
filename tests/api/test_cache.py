"""Bundles on disk: what is kept, and what is none of ours."""

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
