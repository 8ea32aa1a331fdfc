"""How a training shows itself: bars on a terminal, now and then a line in a log."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from trainer.state import Epoch, State

LINE_EVERY = 30.0  # seconds between lines where there is no terminal


class TrainingProgress:
    """A `trainer.training.Listener` for people. Use as a context manager."""

    def __init__(self, console: Console, epochs: int) -> None:
        self._console = console
        self._epochs = epochs
        self._said = time.monotonic()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("epoch 1", total=1.0, loss=float("nan"))

    def __enter__(self) -> "TrainingProgress":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def on_batch(self, state: State, done: float, loss: float) -> None:
        self.show(state.epoch + 1, done, loss)

    def show(self, epoch: int, done: float, loss: float) -> None:
        """Say how far an epoch is, counted from 1, and its mean loss."""
        self._bars.update(
            self._task,
            description=f"epoch {epoch} of at most {self._epochs}",
            completed=done,
            loss=loss,
        )
        if not self._console.is_terminal and time.monotonic() - self._said > LINE_EVERY:
            self._said = time.monotonic()
            self._console.print(f"epoch {epoch}: {done:.0%}, loss {loss:.3f}")

    def on_epoch(self, epoch: Epoch, state: State) -> None:
        """Nothing: `trainer.run` logs each epoch, to the terminal and to the run's log."""
