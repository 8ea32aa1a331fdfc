"""A run of several in its process: what it says when it fails, and what it may take."""

import re
import time
from pathlib import Path

import psutil
import pytest

from trainer.recipe import Recipe
from trainer.running import Running, memory_of_this
from trainer.trial import Job, Share, TrialError


def job(tmp_path: Path, *datasets: str) -> Job:
    return Job(
        name="fold-1",
        datasets=datasets,
        recipe=Recipe(size="tiny", epochs=1),
        parent="none",
        folder=tmp_path,
        environment={
            "CHECKPOINT_DIR": str(tmp_path),
            "DATA_DIR": str(tmp_path),
            "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
        },
    )


def below() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


def test_memory_is_that_of_all_processes() -> None:
    before = memory_of_this()
    assert before > 10**7
    kept = bytearray(b"1") * 10**8
    assert 0.9e8 < memory_of_this() - before < 1.3e8
    assert len(kept) == 10**8


def test_a_run_that_outgrows_its_memory_is_ended(tmp_path: Path) -> None:
    before = below()
    limit = memory_of_this() + 15 * 10**7
    running = Running(job(tmp_path, "synthetic:50"), Share(1, limit))
    with pytest.raises(TrialError, match="GB of memory, more than --memory-per-run") as error:
        running.report()
    taken = re.search(r"It took ([\d.]+) GB", str(error.value))
    assert taken
    # seen within half a second of a start that takes about 2 GB a second at most
    assert float(taken[1]) * 1e9 < limit + 10**9
    assert not below() - before


def test_what_is_wrong_with_its_data_is_said(tmp_path: Path) -> None:
    running = Running(job(tmp_path, "moon"), Share(1, memory_of_this() + 3 * 10**9))
    with pytest.raises(TrialError, match="There is no dataset 'moon'"):
        running.report()


def test_a_process_that_dies_leaves_its_last_words(tmp_path: Path) -> None:
    running = Running(job(tmp_path, "synthetic:50"), Share(1, memory_of_this() + 3 * 10**9))
    (started,) = [p for p in psutil.Process().children() if "trial" in p.cmdline()]
    while not (tmp_path / "fold-1.log").is_file():
        time.sleep(0.05)
    (tmp_path / "fold-1.log").write_text("out of luck\n")
    started.kill()
    with pytest.raises(TrialError, match=r"(?s)ended with status -9.*out of luck"):
        running.report()
