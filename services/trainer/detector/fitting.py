"""Training of the line detector."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from recognizer.detector import REACH, ink_of_page
from recognizer.image import Gray
from recognizer.maps import CELL, Maps, fit
from recognizer.tracing import trace
from trainer.datasets import fonts
from trainer.detector.composing import compose
from trainer.detector.network import Finder, build
from trainer.detector.pages import PageFile, crop
from trainer.detector.scores import Found, compare
from trainer.detector.targets import targets
from trainer.export import export_onnx

log = logging.getLogger(__name__)

SIDE = 512  # pixels of the squares that are learnt from
WARM_UP = 100  # steps
NETWORK, MODEL = "detector.onnx", "detector.keras"


@dataclass(frozen=True)
class Plan:
    """How to train. An epoch is `every` steps; after each the pages of validation are looked at.

    Steps are rounded to whole epochs.
    """

    steps: int = 3000
    every: int = 100
    batch_size: int = 4
    learning_rate: float = 2e-3
    composed: float = 0.4
    """Share of the squares that are of composed pages."""
    seed: int = 0

    @property
    def epoch_steps(self) -> int:
        return min(self.every, self.steps)

    @property
    def epochs(self) -> int:
        return round(self.steps / self.epoch_steps)


class Squares(keras.utils.PyDataset):  # type: ignore[misc]  # keras ships no types
    """Squares of pages, real and composed, each from its own seed."""

    def __init__(self, pages: Sequence[PageFile], plan: Plan) -> None:
        super().__init__(workers=1)
        self.pages, self.plan = pages, plan
        self.faces = fonts.files("train")
        self.epoch = 0

    def __len__(self) -> int:
        return self.plan.epoch_steps

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        squares = [
            self._square(np.random.default_rng((self.plan.seed, self.epoch, index, place)))
            for place in range(self.plan.batch_size)
        ]
        ink, maps = zip(*squares, strict=True)
        return np.stack(ink), np.stack(maps)

    def begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Of which epoch the squares are from now on."""
        self.epoch = epoch

    def _square(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if not self.pages or rng.random() < self.plan.composed:
            page = compose(self.faces, rng)
        else:
            page = self.pages[int(rng.integers(len(self.pages)))].open()
        square = crop(page, SIDE, rng)
        ink = ink_of_page(square.pixels)[..., np.newaxis]
        return ink, targets(list(square.lines), (SIDE // CELL, SIDE // CELL))


def train(
    pages: Sequence[PageFile],
    validation: Sequence[PageFile],
    folder: Path,
    plan: Plan,
    *,
    progress: Callable[[str], None] = log.info,
) -> Found:
    """Train into a folder, going on from where an interrupted training stopped.

    Args:
        pages: real pages to learn from; none: composed pages alone.
        validation: real pages to choose by; none: the last network is kept.

    Returns:
        What the kept network finds on `validation`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = build(seed=plan.seed)
    whole = plan.epochs * plan.epoch_steps
    warm_up = min(WARM_UP, whole // 2)
    rate = keras.optimizers.schedules.CosineDecay(
        plan.learning_rate / 50,
        whole - warm_up,
        warmup_target=plan.learning_rate,
        warmup_steps=warm_up,
    )
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3, clipnorm=1.0))
    judge = _Judge(model, validation, folder, progress)
    if validation and (folder / MODEL).exists():  # of what was interrupted
        kept = keras.models.load_model(folder / MODEL, compile=False)
        judge.best = judged(kept, validation)
    squares = Squares(pages, plan)
    model.fit(
        squares,
        epochs=plan.epochs,
        verbose=0,
        callbacks=[
            keras.callbacks.BackupAndRestore(folder / "backup"),
            # one that goes on does not see the same squares again
            keras.callbacks.LambdaCallback(on_epoch_begin=squares.begin),
            judge,
        ],
    )
    best = keras.models.load_model(folder / MODEL, compile=False)
    export_onnx(best, (SIDE, SIDE, 1), folder / NETWORK)
    return judge.best


class _Judge(keras.callbacks.Callback):  # type: ignore[misc]  # keras ships no types
    """Looks at the pages of validation after each epoch, and keeps the best network."""

    def __init__(
        self,
        finder: Finder,
        pages: Sequence[PageFile],
        folder: Path,
        progress: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.finder, self.pages, self.folder, self.progress = finder, pages, folder, progress
        self.best = Found()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        found = judged(self.finder, self.pages)
        told = f"epoch {epoch + 1}: loss {(logs or {}).get('loss', math.nan):.3f}"
        if self.pages:
            told += f", validation precision {found.precision:.1%}, recall {found.recall:.1%}"
        self.progress(told)
        if not self.pages or found.f1 >= self.best.f1 or not (self.folder / MODEL).exists():
            self.best = found
            self.finder.save(self.folder / MODEL)


def judged(model: Finder, pages: Sequence[PageFile]) -> Found:
    """Lines found on pages by a network that is still being trained."""
    found = Found()
    for file in pages:
        page = file.open()
        lines = trace(_maps(model, page.pixels))
        found += compare(lines, page.lines, (page.pixels.shape[0], page.pixels.shape[1]))
    return found


def _maps(model: Finder, page: Gray) -> Maps:
    small, scale = fit(page)
    output = np.asarray(model(ink_of_page(small)[np.newaxis, ..., np.newaxis], training=False))[0]
    return Maps(output[..., 0], output[..., 1] * REACH, output[..., 2] * REACH, scale * CELL)
