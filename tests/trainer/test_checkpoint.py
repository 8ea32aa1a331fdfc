"""A checkpoint survives a crash at any moment, and says what is wrong with it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recognizer.bundle import Bundle
from trainer.state import Epoch, State

pytest.importorskip("keras")


def state(batch: int = 0) -> State:
    epoch = Epoch(1, 2.5, 2.0, 0.9, 1.0, 7.5, 100.0, 1e-3, 12.5)
    return State({"size": "tiny"}, "abc", "data", epoch=1, batch=batch, history=[epoch])


@pytest.fixture(scope="module")
def model() -> Any:
    from trainer.network import build

    return build("tiny", 4, seed=1)


@pytest.fixture(scope="module")
def other() -> Any:
    from trainer.network import build

    return build("tiny", 4, seed=2)


def same(first: Any, second: Any) -> bool:
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_what_is_saved_is_loaded(tmp_path: Path, model: Any, other: Any) -> None:
    from trainer.checkpoint import Checkpoint

    checkpoint = Checkpoint(tmp_path / "new" / "folder")
    assert not checkpoint.exists()
    checkpoint.save(state(batch=7), model)
    checkpoint.save_best(other)
    assert checkpoint.exists()
    loaded, network = checkpoint.load()
    assert loaded == checkpoint.state() == state(batch=7)
    assert same(network, model)
    assert same(checkpoint.best(), other)


def test_only_the_last_state_is_kept(tmp_path: Path, model: Any) -> None:
    from trainer.checkpoint import Checkpoint

    checkpoint = Checkpoint(tmp_path)
    for batch in range(3):
        checkpoint.save(state(batch), model)
    assert len(list(tmp_path.glob("*.keras"))) == 1
    assert checkpoint.state().batch == 2


@pytest.mark.parametrize("moment", ["network half written", "network", "state", "clearing up"])
def test_a_crash_leaves_a_whole_checkpoint(
    tmp_path: Path, model: Any, other: Any, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Either the one before or the one that was being written, never a mixture."""
    from trainer.checkpoint import Checkpoint

    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(state(batch=1), model)

    class Crash(BaseException):
        pass

    def crash(*_: object, **__: object) -> None:
        raise Crash

    replace, write = Path.replace, Path.write_bytes

    def half_written(file: Path) -> None:
        write(file, b"half of it")
        raise Crash

    def replace_network_only(path: Path, target: Path) -> Path:
        if target.name.endswith(".keras"):
            return replace(path, target)
        raise Crash

    with monkeypatch.context() as patch:
        if moment == "network half written":
            patch.setattr(type(other), "save", lambda _, file: half_written(file))
        elif moment == "network":
            patch.setattr(Path, "replace", crash)
        elif moment == "state":
            patch.setattr(Path, "replace", replace_network_only)
        else:
            patch.setattr(Path, "unlink", crash)
        with pytest.raises(Crash):
            checkpoint.save(state(batch=2), other)
    loaded, network = checkpoint.load()
    written = moment == "clearing up"
    assert loaded.batch == (2 if written else 1)
    assert same(network, other if written else model)
    checkpoint.save(state(batch=3), other)
    assert checkpoint.load()[0].batch == 3
    assert len(list(tmp_path.glob("*-model.keras"))) == 1


def test_nothing_to_load(tmp_path: Path) -> None:
    from trainer.checkpoint import Checkpoint, CheckpointError

    checkpoint = Checkpoint(tmp_path / "none")
    with pytest.raises(CheckpointError, match=r"There is no checkpoint in .*none"):
        checkpoint.load()
    with pytest.raises(CheckpointError, match=r"best\.keras is not a saved network"):
        checkpoint.best()
    assert checkpoint.run_id() is None


def test_room_is_made_and_what_was_there_kept(tmp_path: Path, model: Any) -> None:
    from trainer.checkpoint import Checkpoint, CheckpointError

    checkpoint, before = Checkpoint(tmp_path / "new"), Checkpoint(tmp_path / "new.before")
    assert checkpoint.set_aside() is None
    checkpoint.keep_run_id("abc123")
    checkpoint.save(state(batch=1), model)
    (checkpoint.folder / "my-bundle").mkdir()
    assert checkpoint.set_aside() == before.folder
    assert not checkpoint.exists()
    assert checkpoint.run_id() is None
    assert (before.run_id(), before.state().batch) == ("abc123", 1)
    assert (before.folder / "my-bundle").is_dir()
    # the one before that is not kept, unless a training goes on in it
    checkpoint.save(state(batch=2), model)
    with before.alone(), pytest.raises(CheckpointError, match="Another training is at work"):
        checkpoint.set_aside()
    assert checkpoint.set_aside() == before.folder
    assert before.state().batch == 2
    checkpoint.save(state(batch=3), model)
    shutil.rmtree(before.folder)
    before.folder.mkdir()
    (before.folder / "letter.txt").touch()
    with pytest.raises(CheckpointError, match="is in the way"):
        checkpoint.set_aside()
    assert checkpoint.exists()


def test_what_a_training_began_with_is_remembered(tmp_path: Path) -> None:
    from trainer.bootstrap import STARTER_BUNDLE
    from trainer.checkpoint import Checkpoint

    checkpoint = Checkpoint(tmp_path / "new")
    checkpoint.keep_base(None)
    assert checkpoint.base() is None
    starter = Bundle.load(STARTER_BUNDLE)
    for _ in range(2):
        checkpoint.keep_base(starter)
    base = checkpoint.base()
    assert base
    assert base.manifest == starter.manifest
    checkpoint.keep_base(None)
    assert checkpoint.base() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"model": "x.keras"}', "\0"])
def test_a_damaged_state_is_named(tmp_path: Path, text: str) -> None:
    from trainer.checkpoint import STATE, Checkpoint, CheckpointError

    (tmp_path / STATE).write_text(text)
    with pytest.raises(
        CheckpointError, match=r"state\.json (cannot be read|is of another version)"
    ):
        Checkpoint(tmp_path).load()


def test_a_state_of_another_version_is_named(tmp_path: Path, model: Any) -> None:
    from trainer.checkpoint import STATE, Checkpoint, CheckpointError

    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(state(), model)
    saved = json.loads((tmp_path / STATE).read_text())
    (tmp_path / STATE).write_text(json.dumps({**saved, "moon": "full"}))
    with pytest.raises(CheckpointError, match="another version of this program: start anew"):
        checkpoint.load()


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "changed", "other kind"])
def test_a_damaged_network_is_named(tmp_path: Path, model: Any, damage: str) -> None:
    import keras

    from trainer.checkpoint import CheckpointError, load_model

    file = tmp_path / "model.keras"
    model.save(file)
    data = bytearray(file.read_bytes())
    if damage == "gone":
        file.unlink()
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "changed":
        data[len(data) // 2] ^= 255
        file.write_bytes(data)
    else:
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]).save(file)
    with pytest.raises(
        CheckpointError, match=r"model\.keras (is not a saved|holds another kind)"
    ) as e:
        load_model(file)
    assert len(str(e.value).splitlines()) == 1


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    from trainer.checkpoint import Checkpoint, CheckpointError

    kept = tmp_path / "letters" / "lines.tsv"
    kept.parent.mkdir()
    kept.write_text("a.png")
    for folder in (kept.parent, tmp_path, kept):
        with pytest.raises(CheckpointError, match="is no checkpoint"):
            Checkpoint(folder).set_aside()
    assert kept.read_text() == "a.png"
    # what a kill within the first checkpoint leaves is one
    cut_off = tmp_path / "cut-off" / "new-average.npz"
    cut_off.parent.mkdir()
    cut_off.touch()
    Checkpoint(cut_off.parent).set_aside()
    assert not cut_off.exists()


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    from trainer.checkpoint import Checkpoint, CheckpointError

    first, second = Checkpoint(tmp_path / "run"), Checkpoint(tmp_path / "run")
    with first.alone():
        with pytest.raises(CheckpointError, match="Another training is at work"), second.alone():
            raise AssertionError
        with Checkpoint(tmp_path / "other").alone():
            pass
    with second.alone():
        pass
