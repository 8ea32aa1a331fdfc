"""Which of several runs is the best."""

from pathlib import Path

import pytest

pytest.importorskip("mlflow")

from trainer.recipe import Recipe
from trainer.trial import Ended, Job, Report


def ended(name: str, cer: float | None, error: str | None = None) -> Ended:
    job = Job(name=name, datasets=(), recipe=Recipe(), parent="p", folder=Path(), environment={})
    return Ended(job, {}, Report(best={} if cer is None else {"val_cer": cer}), error)


def test_runs_come_in_the_order_of_their_figures_whichever_ended_first() -> None:
    from trainer.study import ranked

    runs = [
        ended("fold-3", 0.2, error="killed"),
        ended("fold-5", None),
        ended("fold-2", 0.3),
        ended("fold-1", 0.3),
        ended("fold-4", 0.25),
    ]
    names = ["fold-4", "fold-1", "fold-2", "fold-5", "fold-3"]
    for order in (runs, runs[::-1]):
        assert [each.job.name for each in ranked(order, "val_cer")] == names
