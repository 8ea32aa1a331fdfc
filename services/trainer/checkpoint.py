"""What an interrupted training needs to go on as if nothing had happened."""

import json
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from recognizer.bundle import Bundle
from trainer.alone import Timeout, locked
from trainer.network import Crnn, plain
from trainer.optimizer import Muon
from trainer.state import Epoch, State

STATE = "state.json"
MODEL = "model.keras"
AVERAGE = "average.npz"
BEST = "best.keras"
RUN = "run_id.txt"
BASE = "base"
BEFORE = ".before"


class CheckpointError(Exception):
    """There is nothing to resume, or not with these settings."""


class Checkpoint:
    """A folder with the last state and the best network so far.

    The state is written last and by renaming, so a crash leaves the checkpoint before.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self) -> bool:
        return (self.folder / STATE).is_file()

    def save(self, state: State, model: Crnn, average: Sequence[NDArray[Any]] = ()) -> None:
        """Write a state, the network with its optimizer, and what its average keeps."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # the state names the files of its own weights: none of them can be mixed up
        stem = f"{state.epoch:04d}-{state.batch:06d}-"
        file = stem + MODEL
        np.savez(self.folder / f"new-{AVERAGE}", *average)
        (self.folder / f"new-{AVERAGE}").replace(self.folder / (stem + AVERAGE))
        model.save(self.folder / f"new-{MODEL}")
        (self.folder / f"new-{MODEL}").replace(self.folder / file)
        seeds = [keras.ops.convert_to_numpy(seed).tolist() for seed in _seeds(model)]
        written = json.dumps({**asdict(state), "model": file, "seeds": seeds}, indent=1)
        (self.folder / f"{STATE}.new").write_text(written, encoding="utf-8")
        (self.folder / f"{STATE}.new").replace(self.folder / STATE)
        for name in (MODEL, AVERAGE):
            for old in self.folder.glob(f"*-{name}"):
                if old.name != stem + name:
                    old.unlink()

    def save_best(self, model: Crnn) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # what its optimizer remembers would make it twice as large, and nobody asks for it
        model.save(self.folder / f"new-{BEST}", include_optimizer=False)
        (self.folder / f"new-{BEST}").replace(self.folder / BEST)

    def state(self) -> State:
        """The last state. Raises `CheckpointError` where there is none."""
        return self._read()[0]

    def load(self) -> tuple[State, Crnn]:
        """The last state and its network, optimizer included. Raises `CheckpointError`."""
        state, file, saved = self._read()
        model = load_model(file, optimizer=True)
        for seed, value in zip(_seeds(model), saved, strict=False):
            seed.assign(value)
        return state, model

    def average(self) -> list[NDArray[Any]] | None:
        """What the average of the last state keeps; None where there was none."""
        file = self._read()[1]
        try:
            with np.load(file.with_name(file.name.replace(MODEL, AVERAGE))) as kept:
                return [kept[name] for name in kept.files] or None
        except FileNotFoundError:
            return None

    def _read(self) -> tuple[State, Path, list[list[int]]]:
        try:
            found = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CheckpointError(f"There is no checkpoint in {self.folder}.") from None
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{self.folder / STATE} cannot be read: {error}") from error
        try:
            file, seeds = self.folder / found.pop("model"), found.pop("seeds", [])
            found["history"] = [Epoch(**epoch) for epoch in found["history"]]
            return State(**found), file, seeds
        except (TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(
                f"{self.folder / STATE} is of another version of this program: start anew."
            ) from error

    def best(self) -> Crnn:
        """The network with the lowest validation CER so far, in float32."""
        return plain(load_model(self.folder / BEST))

    def keep_run_id(self, run_id: str) -> None:
        """Remember the MLflow run, so that a resumed training goes on in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / RUN).write_text(run_id, encoding="utf-8")

    def run_id(self) -> str | None:
        file = self.folder / RUN
        return file.read_text(encoding="utf-8") if file.is_file() else None

    def set_aside(self) -> Path | None:
        """Make room for a new training; what is there is kept as `FOLDER.before`.

        Returns:
            Where that is; None where nothing was there. What was set aside before it is deleted.

        Raises:
            CheckpointError: the folder is something else, or cannot be moved.
        """
        if not self.folder.exists():
            return None
        if not _is_checkpoint(self.folder):
            raise CheckpointError(
                f"'{self.folder}' is there and is no checkpoint: it is left alone. "
                "Name a new folder."
            )
        if not any(self.folder.iterdir()):
            return None
        before = self.folder.with_name(f"{self.folder.resolve().name}{BEFORE}")
        if before.exists() and not _is_checkpoint(before):
            raise CheckpointError(
                f"'{before}' is in the way, where the checkpoint in '{self.folder}' would be kept."
            )
        try:
            with Checkpoint(before).alone():  # it may be gone on with
                shutil.rmtree(before, ignore_errors=True)
                self.folder.rename(before)
        except OSError as error:
            raise CheckpointError(
                f"The checkpoint in '{self.folder}' cannot be set aside: {error.strerror}. "
                "Name a new folder."
            ) from error
        return before

    def keep_base(self, bundle: Bundle | None) -> None:
        """Keep a copy of the bundle that a training goes on from: an export takes over from it."""
        shutil.rmtree(self.folder / BASE, ignore_errors=True)
        if bundle is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.copytree(bundle.path, self.folder / BASE)

    def base(self) -> Bundle | None:
        """That bundle; None where there was none. Raises `BundleError` where it is damaged."""
        return Bundle.load(self.folder / BASE) if (self.folder / BASE).is_dir() else None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other trainings out of the folder.

        Raises:
            CheckpointError: one is at work there.
        """
        try:
            lock = locked(self.folder)
        except Timeout:
            raise CheckpointError(
                f"Another training is at work in '{self.folder}'. Wait for its end, or give this "
                "one another name."
            ) from None
        try:
            yield
        finally:
            lock.release()


def _is_checkpoint(folder: Path) -> bool:
    """Also one that was cut off, or an empty folder."""
    if not folder.is_dir():
        return False
    names = [each.name for each in folder.iterdir()]
    return not names or any(map(_is_own, names))


def _is_own(name: str) -> bool:
    """Whether a checkpoint has such a file, be it whole or cut off while it was written."""
    known = {
        STATE,
        f"{STATE}.new",
        BEST,
        RUN,
        BASE,
        *(f"new-{each}" for each in (MODEL, AVERAGE, BEST)),
    }
    return name in known or name.endswith((f"-{MODEL}", f"-{AVERAGE}"))


def _seeds(model: Crnn) -> list[Any]:
    """The random state of every dropout, which Keras leaves out of the file of a network."""
    return [each for each in model.variables if each.path.endswith("seed_generator_state")]


def load_model(file: Path, *, optimizer: bool = False) -> Crnn:
    """A saved network, to be trained on with its `optimizer` or without.

    Raises:
        CheckpointError: the file is not one.
    """
    try:
        model = keras.models.load_model(file, {"Muon": Muon}, compile=optimizer)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{file} is not a saved network: {reason}") from error
    if not isinstance(model, Crnn):
        raise CheckpointError(f"{file} holds another kind of network.")
    return model
