"""`trial`: one run of `splits` or `sweep` in the process that they start for it."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from trainer.cli.common import app, settings, told
from trainer.cli.train import Stop, plan_of

if TYPE_CHECKING:
    from trainer.state import Epoch, State
    from trainer.trial import Job, Report


STOP_SECONDS = 20.0


@app.command(hidden=True)
def trial() -> None:
    """One run of `splits` or `sweep`: a job on standard input, its reports on standard output."""
    from trainer.batches import end_with
    from trainer.trial import Job, Report

    # a killed command, or Ray at its end, leaves no time to ask: what was learnt is written all the
    # same, before the same command can go on
    end_with(os.getppid(), grace=STOP_SECONDS)
    # what anything else prints belongs in the log
    with os.fdopen(os.dup(1), "w", buffering=1) as out:
        os.dup2(2, 1)

        def send(report: Report) -> None:
            out.write(report.model_dump_json() + "\n")

        try:
            _run(Job.model_validate_json(sys.stdin.read()), send)
        except Exception as error:
            traceback.print_exc()
            send(Report(error=told(error) or f"{type(error).__name__}: {error}"))
            raise typer.Exit(1) from None


class _Reports:
    """A `trainer.training.Listener` that reports each epoch."""

    def __init__(self, send: "Callable[[Report], None]") -> None:
        self.send = send

    def on_batch(self, state: "State", done: float, loss: float) -> None:
        """Nothing: reports are for epochs."""

    def on_epoch(self, epoch: "Epoch", state: "State") -> None:
        self.send(_report(state.history))


def _report(history: "Sequence[Epoch]") -> "Report":
    from trainer.trial import METRICS, Report

    best = {name: min(getattr(epoch, name) for epoch in history) for name in METRICS}
    return Report(epoch=history[-1].number, best=best)


def _run(job: "Job", send: "Callable[[Report], None]") -> None:
    known = settings()
    stop = Stop()
    plan = plan_of(job.recipe, job.datasets, known, job.name, job.fold)
    from trainer.checkpoint import Checkpoint
    from trainer.run import run

    checkpoint = Checkpoint(known.checkpoint_dir / job.name)
    history = checkpoint.state().history if checkpoint.exists() else []
    for count in range(1, len(history) + 1):
        send(_report(history[:count]))  # whoever asks now has not heard of these
    recipe = plan.recipe
    if job.task == "conclude":
        recipe = replace(recipe, epochs=len(history))
    plan = replace(
        plan,
        recipe=recipe,
        resume=checkpoint.exists(),
        start=None if job.from_scratch else plan.start,
        stopped=stop.asked,
        parent=job.parent,
        tags=job.tags,
        only_train=job.task == "train",
    )
    reports = _Reports(send)
    outcome = run(plan, known, reports)
    if outcome.ending == "interrupted":
        return
    scores = outcome.scores
    send(
        _report(checkpoint.state().history).model_copy(
            update={
                "ending": outcome.ending,
                "version": outcome.version.number if outcome.version else None,
                "test": {"test_cer": scores.cer, "test_wer": scores.wer} if scores else {},
            }
        )
    )
