"""Corrections are kept whole or not at all, once each, in a folder and in a bucket."""

import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from corrections.errors import NoSuchCorrectionError, StoreError
from corrections.record import Correction
from corrections.store import RECORD, STALE_SECONDS, Store
from s3_server import bucket_server
from writing import write


def correction(text: str = "hello", **changes: Any) -> Correction:
    line = {"box": (0, 0, 40, 20), "reading": "hallo", "text": text}
    return Correction.model_validate({"lines": [line], "level": "line", **changes})


@pytest.fixture(params=["folder", "bucket"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    if request.param == "folder":
        yield Store(str(tmp_path / "kept" / "here"))
        return
    with bucket_server({"handwriting/other.txt": b"of somebody else"}) as endpoint:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "eu-north-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield Store("s3://handwriting/corrections")


def test_what_is_saved_is_read_again(store: Store) -> None:
    saved = store.save(b"an image", correction(document="letter 7"))
    assert saved.new
    found = store.read(saved.record.id)
    assert found.image == b"an image"
    assert found.record == saved.record
    assert store.entries()[0].bytes == saved.bytes
    assert found.record.lines[0].text == "hello"
    assert found.record.document == "letter 7"
    assert [each.id for each in store.entries()] == [saved.record.id]


def test_the_same_is_kept_once(store: Store) -> None:
    first = store.save(b"an image", correction())
    again = store.save(b"an image", correction(model={"name": "handwriting", "version": "9"}))
    assert not again.new
    assert again.record.id == first.record.id
    # the time is the last one: what was said last counts
    kept = store.read(first.record.id).record
    assert kept == again.record
    assert kept.saved_at > first.record.saved_at
    assert len(store.entries()) == 1
    for image, other in [
        (b"another image", correction()),
        (b"an image", correction("other words")),
        (b"an image", correction(document="letter 7")),
    ]:
        assert store.save(image, other).new
    assert len(store.entries()) == 4


def test_what_is_deleted_is_gone(store: Store) -> None:
    saved = store.save(b"an image", correction()).record
    store.delete(saved.id)
    assert store.entries() == []
    for gone in (lambda: store.read(saved.id), lambda: store.delete(saved.id)):
        with pytest.raises(NoSuchCorrectionError):
            gone()


@pytest.mark.parametrize("id", ["", "x", "../" + "a" * 64, "a" * 63, "A" * 64, "a" * 64])
def test_there_is_nothing_under_other_names(store: Store, id: str) -> None:
    for ask in (store.read, store.delete):
        with pytest.raises(NoSuchCorrectionError):
            ask(id)


def test_what_lies_below_is_not_looked_at(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    saved = store.save(b"an image", correction())
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "lost+found" / "loop").symlink_to(tmp_path)  # it cannot be walked through
    assert [each.id for each in store.entries()] == [saved.record.id]


def test_what_is_old_is_removed(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    old = store.save(b"old", correction()).record
    recent = store.save(b"recent", correction()).record
    day = 24 * 3600
    os.utime(tmp_path / f"{old.id}.zip", (time.time() - 31 * day, time.time() - 31 * day))
    assert store.expire(days=32) == 0
    assert store.expire(days=30) == 1
    assert [each.id for each in store.entries()] == [recent.id]


def test_what_was_left_half_written_is_swept_up(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    names = ("a" * 64 + ".zip#1", "b" * 64 + ".zip#1", "notes#1")
    left, busy, foreign = (tmp_path / name for name in names)
    for file in (left, busy, foreign):
        file.write_bytes(b"half")
    long_ago = time.time() - STALE_SECONDS - 1
    os.utime(left, (long_ago, long_ago))
    os.utime(foreign, (long_ago, long_ago))
    assert store.entries() == []
    store.expire(days=None)
    assert not left.exists()
    assert busy.exists()
    assert foreign.exists()


def test_a_damaged_one_is_no_correction(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    saved = store.save(b"an image", correction()).record
    file = tmp_path / f"{saved.id}.zip"
    whole = file.read_bytes()
    packed = 30 + len(RECORD)  # where the first file's bytes begin
    zeroed = whole[:packed] + bytes(40) + whole[packed + 40 :]
    at = whole.index(b"PK\x01\x02") + 10  # how the first file is packed, by the list at the end
    no_method = whole[:at] + b"\x63" + whole[at + 1 :]
    changed = whole.replace(b"an image", b"an imagE")
    for damaged in (b"", whole[:50], changed, b"not a zip", zeroed, no_method):
        file.write_bytes(damaged)
        with pytest.raises(StoreError, match="damaged"):
            store.read(saved.id)
    # to save it again mends it
    assert not store.save(b"an image", correction()).new
    assert store.read(saved.id).image == b"an image"
    other = store.save(b"another", correction()).record
    (tmp_path / f"{other.id}.zip").rename(file)
    with pytest.raises(StoreError, match="damaged"):
        store.read(saved.id)


@pytest.mark.parametrize("location", ["/dev/null/here", "ftp://example.org/x", "nothing://x"])
def test_a_place_that_is_none_is_said(location: str) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(location)


def test_a_silent_bucket_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "AWS_ALLOW_HTTP": "true",
        }.items():
            monkeypatch.setenv(name, value)
        began = time.monotonic()
        with pytest.raises(StoreError, match="cannot be listed"):
            Store("s3://handwriting").entries()
        assert time.monotonic() - began < 25


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": []},
        {"level": "letter"},
        {"lines": [{"box": (0, 0, 1, 1), "reading": "a", "text": "a\x00"}]},
        {"lines": [{"box": (0, 0, 1, 1), "reading": "a", "text": "a" * 1001}]},
        {"lines": [{"box": (-1, 0, 1, 1), "reading": "a", "text": "a"}]},
        {"lines": [{"box": (0, 0, 1, 1), "reading": "a"}]},
        {"document": "x" * 1001},
        {"writer": "me"},
    ],
)
def test_what_is_no_correction_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        correction(**changes)


def test_texts_are_normalised() -> None:
    assert correction(" e\u0301te\u0301 \n 1914 ").lines[0].text == "été 1914"


@pytest.mark.parametrize("kills", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path: Path, kills: int) -> None:
    """kill -9 at any moment: every correction there is whole, each acknowledged one is there."""
    acknowledged: set[str] = set()
    # forked from a process that has done nothing yet: threads do not come along
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["writing"])
    for kill in range(kills):
        ours, its = context.Pipe(duplex=False)
        writer = context.Process(target=write, args=(tmp_path, kill, its))
        writer.start()
        its.close()
        assert ours.recv() == "ready"
        for _ in range(kill % 4):  # by the time alone it would have written none on a busy machine
            acknowledged.add(ours.recv())
        time.sleep(kill % 40 * 0.0005)
        writer.kill()
        writer.join()
        with suppress(EOFError):
            while True:
                acknowledged.add(ours.recv())
        ours.close()
    store = Store(str(tmp_path))
    kept = {each.id for each in store.entries()}
    assert acknowledged <= kept
    for id in kept:
        stored = store.read(id)
        assert stored.record.lines[0].text == stored.image[:40].decode()
    assert len(acknowledged) > kills
    # it was in the middle of writing at least once, or this has tested nothing
    assert len(kept) > len(acknowledged) or list(tmp_path.glob("*#*"))
