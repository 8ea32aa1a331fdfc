"""A registry that is slow, fails or breaks off; bundles wrong in every way; and what goes on."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundles import bars
from calls import connect
from faulty import SLOW_SECONDS, Faulty
from servers import Mlflow
from sessions import Session

Bundles = Callable[..., Path]


@pytest.fixture
def registry(mlflow_server: Mlflow) -> Iterator[Faulty]:
    with Faulty(mlflow_server) as registry:
        yield registry


@pytest.fixture
def api(registry: Faulty, request: pytest.FixtureRequest, tmp_path: Path) -> Session:
    return Session(registry, request.node.originalname, tmp_path / "cache", "/Production")  # type: ignore[arg-type]


async def served(api: Session, bundle: Path) -> str:
    version = api.publish(bundle)
    assert (await api.poll())["version"] == version
    return version


async def test_a_registry_that_fails_is_an_outage(
    api: Session, registry: Faulty, bundle: Bundles
) -> None:
    first = await served(api, bundle("a"))
    second = api.publish(bundle("b"))
    registry.fault = "error"
    found = await api.poll()
    assert found["version"] == first
    assert "500" in str(found["registry_error"])
    assert "Traceback" not in str(found)
    assert await api.reads() == ("aa", first)
    restarted = api.again()
    assert (await restarted.poll())["from_cache"] is True
    registry.fault = "none"
    for each in (api, restarted):
        found = await each.poll()
        assert (found["version"], found["registry_error"]) == (second, None)
        assert await each.reads() == ("bb", second)


async def test_a_slow_registry_slows_no_request(
    api: Session, registry: Faulty, bundle: Bundles
) -> None:
    await served(api, bundle("a"))
    second = api.publish(bundle("b"))
    registry.fault = "slow"
    polling = asyncio.create_task(asyncio.to_thread(api.app.state.service.watcher.poll))
    began, slowest, count = time.monotonic(), 0.0, 0
    async with connect(api.app) as client:
        while not polling.done():
            asked = time.monotonic()
            answer = await client.post("/predict", files={"image": bars("aa")})
            assert answer.status_code == 200
            slowest, count = max(slowest, time.monotonic() - asked), count + 1
            await asyncio.sleep(0.02)
    await polling
    assert time.monotonic() - began > 3 * SLOW_SECONDS
    assert count > 20
    assert slowest < SLOW_SECONDS
    assert await api.reads() == ("bb", second)


@pytest.mark.parametrize("fault", ["cut off", "too short"])
async def test_a_download_that_breaks_off_leaves_nothing_behind(
    api: Session, registry: Faulty, bundle: Bundles, fault: str
) -> None:
    await served(api, bundle("a"))
    first = (await api.reads())[1]
    second = api.publish(bundle("b"))
    registry.fault = fault  # type: ignore[assignment]
    error = (await api.poll())["reload_error"]
    assert isinstance(error, dict)
    assert error["version"] == second
    assert str(api.settings.model_cache_dir) not in error["error"]
    assert await api.reads() == ("aa", first)
    cache = api.settings.model_cache_dir
    assert not list(cache.glob(".staging-*"))
    assert len(list(cache.glob("*/*"))) == 1
    registry.fault = "none"
    await asyncio.sleep(0.25)  # until it is tried again
    assert (await api.poll())["reload_error"] is None
    assert await api.reads() == ("bb", second)


def rewrite(bundle: Path, file: str, content: bytes, *, sealed: bool) -> None:
    """Other content for a file, with its digest in the manifest where it is `sealed`."""
    (bundle / file).write_bytes(content)
    if sealed:
        manifest = json.loads((bundle / "recognizer.json").read_text())
        manifest["files"][file] = "sha256:" + hashlib.sha256(content).hexdigest()
        (bundle / "recognizer.json").write_text(json.dumps(manifest))


def change(bundle: Path, **fields: object) -> None:
    manifest = json.loads((bundle / "recognizer.json").read_text())
    (bundle / "recognizer.json").write_text(json.dumps(manifest | fields))


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "network cut off": (
        lambda b: rewrite(b, "model.onnx", (b / "model.onnx").read_bytes()[:200], sealed=False),
        "model.onnx: does not have the digest",
    ),
    "network cut off and sealed": (
        lambda b: rewrite(b, "model.onnx", (b / "model.onnx").read_bytes()[:200], sealed=True),
        "model.onnx: cannot be opened",
    ),
    "a pickle as network": (
        lambda b: rewrite(b, "model.onnx", b"\x80\x04cos\nsystem\n.", sealed=True),
        "model.onnx: cannot be opened",
    ),
    "empty network": (
        lambda b: rewrite(b, "model.onnx", b"", sealed=True),
        "model.onnx: ",
    ),
    "network missing": (lambda b: (b / "model.onnx").unlink(), "model.onnx: is listed"),
    "golden image cut off": (
        lambda b: rewrite(b, "golden/bars.png", b"\x89PNG\r\n\x1a\n", sealed=True),
        "golden/bars.png: cannot be read",
    ),
    "manifest cut off": (
        lambda b: rewrite(
            b, "recognizer.json", (b / "recognizer.json").read_bytes()[:-40], sealed=False
        ),
        "recognizer.json: is not JSON",
    ),
    "manifest of a later format": (lambda b: change(b, format=2), "recognizer.json: format: is 2"),
    "manifest with an unknown field": (lambda b: change(b, run="rm"), "recognizer.json: run"),
    "manifest that leaves the bundle": (
        lambda b: change(b, files={"../../../etc/passwd": "sha256:" + "0" * 64}),
        "recognizer.json: files",
    ),
    "another alphabet": (lambda b: change(b, alphabet=" ab"), "model.onnx: alphabet: has 12"),
}


async def test_a_wrong_bundle_is_refused_and_named(api: Session, bundle: Bundles) -> None:
    good = await served(api, bundle("a"))
    for what, (spoil, says) in WRONG.items():
        wrong = bundle("b")
        spoil(wrong)
        version = api.publish(wrong)
        error = (await api.poll())["reload_error"]
        assert isinstance(error, dict), what
        assert error["version"] == version
        assert error["error"].startswith(says), f"{what}: {error['error']}"
        assert "\n" not in error["error"]
        assert await api.reads() == ("aa", good), what
        assert not list(api.settings.model_cache_dir.glob(".staging-*"))
