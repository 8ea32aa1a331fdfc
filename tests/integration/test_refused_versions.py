"""A version that must not or cannot be served: the old one stays, and `/model` says why."""

import asyncio
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bundles import damage
from sessions import Session

Bundles = Callable[..., Path]


async def test_a_damaged_version_is_refused(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    good = api.publish(bundle("a"))
    await api.poll()
    damaged = bundle("b")
    damage(damaged)
    bad = api.publish(damaged)
    error = (await api.poll())["reload_error"]
    assert isinstance(error, dict)
    assert error["version"] == bad
    assert error["error"].startswith("model.onnx: does not have the digest")
    assert error["at"] < error["next_retry_at"]
    assert f"Version {bad} cannot be served: model.onnx" in await api.reasons()
    assert await api.reads() == ("aa", good)

    # another version is not made to wait for the damaged one's next try
    better = api.publish(bundle("c"))
    assert (await api.poll())["reload_error"] is None
    assert await api.reads() == ("cc", better)


async def test_a_damaged_version_is_tried_again_less_and_less_often(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    damaged = bundle("b")
    damage(damaged)
    api.publish(damaged)

    def failures() -> float:
        value = api.app.state.service.metrics.registry.get_sample_value(
            "handwriting_model_swap_failures_total"
        )
        assert value is not None
        return float(value)

    await api.poll()
    await api.poll()
    assert failures() == 1  # too early
    await asyncio.sleep(0.25)
    await api.poll()
    assert failures() == 2
    await asyncio.sleep(0.25)
    await api.poll()
    assert failures() == 2  # 0.4 seconds this time


async def test_rolling_back_clears_the_error(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    good = api.publish(bundle("a"))
    await api.poll()
    api.publish(bundle("b", golden="something else"))
    error = (await api.poll())["reload_error"]
    assert isinstance(error, dict)
    assert error["error"] == "golden/bars.png: was read as 'bbb bb', expected 'something else'"
    api.move(good, "Production")
    assert (await api.poll())["reload_error"] is None
    assert await api.reasons() == ""


async def test_a_version_that_is_no_bundle_is_refused(
    session: Callable[..., Session], tmp_path: Path
) -> None:
    api = session()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "weights.bin").write_bytes(b"weights")
    api.publish(tmp_path / "other")
    error = (await api.poll())["reload_error"]
    assert isinstance(error, dict)
    assert error["error"] == "recognizer.json: is not there: not a bundle"

    run = api.server.client.create_run("0").info.run_id
    api.server.client.log_dict(run, {}, "model/MLmodel")
    version = api.server.client.create_model_version(api.name, f"runs:/{run}/model", run).version
    api.move(str(version), "Production")
    error = (await api.poll())["reload_error"]
    assert isinstance(error, dict)
    assert "artifacts/bundle" in error["error"]


async def test_a_cache_that_cannot_be_written_is_named(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    cache = api.settings.model_cache_dir
    cache.write_text("a file where the directory should be")
    version = api.publish(bundle("a"))
    error = (await api.poll())["reload_error"]
    assert isinstance(error, dict)
    assert error["error"].startswith("MODEL_CACHE_DIR cannot be written: ")
    assert str(cache.parent) not in error["error"]
    cache.unlink()
    await asyncio.sleep(0.25)
    assert (await api.poll())["reload_error"] is None
    assert (await api.reads())[1] == version


async def test_a_full_disk_keeps_the_old_version(
    session: Callable[..., Session], bundle: Bundles
) -> None:
    api = session()
    good = api.publish(bundle("a"))
    await api.poll()
    bad = api.publish(bundle("b"))
    with files_of_at_most(100):
        error = (await api.poll())["reload_error"]
    assert isinstance(error, dict)
    assert error["error"].startswith(f"version {bad} cannot be downloaded from ")
    assert error["error"].endswith("File too large")
    assert "\n" not in error["error"]
    assert await api.reads() == ("aa", good)
    assert not list(api.settings.model_cache_dir.glob(".staging-*"))


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Writing fails half-way, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
