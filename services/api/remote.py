"""The registry, asked by a process of its own.

To import MLflow takes seconds of processor time, and what it does afterwards takes the lock of
the interpreter: in the process that answers requests it would hold them up, at every poll and for
seconds after a start.
"""

import logging
import multiprocessing
import signal
import threading
from math import ceil
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from api import memory
from api.errors import RegistryError
from api.registry import Answer, Registry
from api.serving import Version
from recognizer.address import Address

ANSWER_SECONDS = 60.0
"""The most that a question may take, the first one with the start of the process."""
DOWNLOAD_SECONDS = 900.0
SHORT_WAIT = 1.0


class RemoteRegistry(Registry):
    """`Registry`, in a process that is started when it is first asked. For one thread.

    A registry that trickles its answer cannot hold up its caller for ever: the process is ended
    then, and another one started for the next question.
    """

    def __init__(self, tracking_uri: str, address: Address) -> None:
        super().__init__(tracking_uri, address)
        self._asked: tuple[BaseProcess, Connection] | None = None
        self._closed = False
        self._at_exit: Finalize[None] | None = None
        self._starting = threading.Lock()

    def resolve(self) -> Answer:
        answer: Answer = self._ask(ANSWER_SECONDS, "resolve")
        return answer

    def metrics(self, version: Version) -> dict[str, float]:
        metrics: dict[str, float] = self._ask(ANSWER_SECONDS, "metrics", version)
        return metrics

    def download(self, version: Version, into: Path) -> Path:
        path: Path = self._ask(DOWNLOAD_SECONDS, "download", version, into)
        return path

    def close(self) -> None:
        """End the process, whatever it does, and start no other. From any thread."""
        with self._starting:  # one that is started meanwhile would hold up the end of this one
            self._closed = True
        self._end()
        if self._at_exit:
            self._at_exit.cancel()

    def _end(self) -> None:
        if self._asked:
            process, pipe = self._asked
            self._asked = None
            pipe.close()
            process.kill()
            process.join()

    def _ask(self, seconds: float, question: str, *arguments: Any) -> Any:
        with self._starting:
            if self._closed:
                raise RegistryError("The registry is not asked any more")
            try:
                _, pipe = self._asked = self._asked or self._start()
            except OSError as error:  # no memory, or as many processes or files as may be
                raise RegistryError(
                    f"The process that asks the registry cannot be started: {error}"
                ) from error
        try:
            pipe.send((question, arguments))
            if not _answers(pipe, seconds):
                self._end()
                raise RegistryError(
                    f"The registry at {self.shown} has not answered within {seconds:.0f} s"
                )
            answer = pipe.recv()
        except (EOFError, OSError) as error:
            self._end()
            raise RegistryError("The process that asks the registry has ended") from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _start(self) -> tuple[BaseProcess, Connection]:
        # a server that a second Ctrl-C ends closes nothing: multiprocessing would wait for ever
        self._at_exit = self._at_exit or Finalize(None, self.close, exitpriority=0)
        # not fork: threads run here
        context = multiprocessing.get_context("spawn")
        ours, its = context.Pipe()
        process = context.Process(
            target=_answer, args=(its, self._uri, self._address), name="registry", daemon=True
        )
        process.start()
        its.close()  # so that its end is noticed here
        return process, ours


def _answers(pipe: Connection, seconds: float) -> bool:
    """Wait for an answer, in short waits: time in which both processes were stopped, as in a
    container that is paused, counts as one of them."""
    return any(pipe.poll(min(SHORT_WAIT, seconds)) for _ in range(ceil(seconds / SHORT_WAIT)))


def _answer(pipe: Connection, tracking_uri: str, address: Address) -> None:
    """In the process: answer questions until nobody is there to ask."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # meant for the parent, which ends this process
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    memory.give_back()  # MLflow starts threads for each download, and each left memory behind
    registry = Registry(tracking_uri, address)
    while True:
        try:
            question, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = getattr(registry, question)(*arguments)
        except RegistryError as error:
            answer = RegistryError(str(error))  # its cause may not survive the way
        except Exception as error:
            answer = RegistryError(f"{type(error).__name__}: {error}")
        if question == "download":
            memory.trim()
        try:
            pipe.send(answer)
        except OSError:
            return
