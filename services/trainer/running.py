"""The process of one run of several, and what it may take.

A process, so that its memory can be measured and taken back whatever it does, and so that one
that crashes takes nothing with it.
"""

import math
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import psutil

from trainer.cores import limits
from trainer.trial import Job, Report, Share, TrialError

SERVICES = Path(__file__).parents[1]
LOOK_EVERY = 0.5  # seconds between two looks at the memory of a run
STOP_SECONDS = 60.0  # for a checkpoint to be written before a run that is to stop is killed
LAST_LINES = 5


def memory_of_this() -> int:
    """Bytes that this process and all below it take, with their share of what they share."""
    this = psutil.Process()
    whole = 0
    for process in (this, *this.children(recursive=True)):
        try:
            taken = process.memory_full_info()
        except psutil.Error:  # it has just ended
            continue
        whole += getattr(taken, "pss", taken.rss)  # Linux alone knows shares
    return whole


class Running:
    """The process of a job, which ends with the process that started it."""

    def __init__(self, job: Job, share: Share) -> None:
        """Start it; the memory of its share is for all its processes and this one together."""
        self.job = job
        self.share = share
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trainer", "trial"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=job.folder,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(
                        filter(None, [str(SERVICES), os.environ.get("PYTHONPATH")])
                    ),
                    **job.environment,
                    **limits(max(1, math.ceil(share.cpus))),
                },
                # Ctrl-C is for the command, which then stops its runs
                start_new_session=True,
            )
        assert self._process.stdin
        with self._process.stdin as stdin:
            stdin.write(job.model_dump_json())
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout
        with self._process.stdout as stdout:
            for line in stdout:
                self._said.put(line)
        self._said.put("")

    def report(self) -> Report:
        """Wait for the next report, and see meanwhile that memory is kept to.

        Raises:
            TrialError: the run has failed, or was ended for the memory that it took.
        """
        while True:
            self._check_memory()
            try:
                line = self._said.get(timeout=LOOK_EVERY)
            except queue.Empty:
                continue
            if not line:
                raise TrialError(self._last_words())
            report = Report.model_validate_json(line)
            if report.error:
                self.stop()
                raise TrialError(report.error)
            return report

    def last_report(self) -> Report:
        """Wait for its end. Raises `TrialError`, as `report`."""
        while (report := self.report()).ending is None:
            pass
        self.stop()
        return report

    def _check_memory(self) -> None:
        taken = memory_of_this()
        if taken > self.share.memory:
            self._kill()
            raise TrialError(
                f"It took {taken / 1e9:.2f} GB of memory, more than --memory-per-run "
                f"{self.share.memory / 1e9:g}, and was ended. Give it more, or a smaller batch."
            )

    def _last_words(self) -> str:
        status = self._process.wait()
        said = self.job.log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]
        return "\n".join([f"It ended with status {status}. {self.job.log} ends so:", *said])

    def stop(self) -> None:
        """Have it write a checkpoint and end; kill it where that takes too long."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()

    def _kill(self) -> None:
        """End it and its workers at once."""
        try:
            all_of_it = [*psutil.Process(self._process.pid).children(recursive=True)]
        except psutil.Error:
            all_of_it = []
        self._process.kill()
        for process in all_of_it:
            try:
                process.kill()
            except psutil.Error:
                continue
        self._process.wait()
