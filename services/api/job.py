"""One image on its way through the engine."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

from api.schemas import AskedDecoder, AskedLevel, ReadDecoder, ReadLevel
from api.serving import Served
from recognizer.image import Gray
from recognizer.page import FoundLine
from recognizer.prepare import Prepared
from recognizer.reading import Reading


@dataclass(frozen=True)
class Asked:
    """How an image is to be read, as the request has it."""

    level: AskedLevel
    decoder: AskedDecoder
    alternatives: int

    def decoder_of(self, model: Served) -> ReadDecoder:
        """What a version reads with: for `auto` its best."""
        return model.recognizer.best_decoder if self.decoder == "auto" else self.decoder


@dataclass(frozen=True)
class ReadLine:
    """The reading of one line; `found` says where on its page, None where it is the image."""

    reading: Reading
    found: FoundLine | None = None


@dataclass(frozen=True)
class Read:
    """What was read: a reading a line, the size of the upright image in pixels, the seconds."""

    level: ReadLevel
    decoder: ReadDecoder
    lines: tuple[ReadLine, ...]
    width: int
    height: int
    decode_seconds: float
    recognise_seconds: float


@dataclass(frozen=True)
class Page:
    """An image that turned out to be a page, and its lines."""

    lines: list[FoundLine]
    width: int
    height: int
    decode_seconds: float
    find_seconds: float


Outcome = Read | Page | Exception


@dataclass(eq=False)
class Job:
    """An image, the version that reads it to the end, how, and where the answer goes.

    The threads of the engine pass it on; each fills in what the next needs.
    """

    model: Served
    image: bytes | Gray
    """A file, its pixels once it is decoded, or those of a line of a page."""
    asked: Asked
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Read | Page]
    waits_since: float | None = field(default_factory=perf_counter)
    """For a thread; None while one is at work on it."""
    abandoned: bool = False
    """Nobody waits for the answer any more: every stage drops it."""

    ready: Prepared = field(init=False)
    width: int = field(init=False)
    height: int = field(init=False)
    prepared_at: float = field(init=False)
    queue_seconds: float = 0.0
    decode_seconds: float = 0.0
    prepare_seconds: float = 0.0
    recognise_seconds: float = 0.0

    def begun(self, at: float) -> None:
        """A thread has it now, or nobody waits for it any more."""
        since, self.waits_since = self.waits_since, None
        if since is not None:
            self.queue_seconds += at - since

    @property
    def decoder(self) -> ReadDecoder:
        return self.asked.decoder_of(self.model)

    @property
    def light(self) -> bool:
        """Whether its logits are decoded in less time than passing them on would take."""
        return self.decoder == "greedy" and not self.asked.alternatives

    def settle(self, outcome: Outcome) -> None:
        """Answer, from any thread."""
        settle([(self, outcome)])

    def _settle(self, outcome: Outcome) -> None:
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


def settle(answers: Sequence[tuple[Job, Outcome]]) -> None:
    """Answer several images of one event loop, from any thread: it is woken once."""
    if not answers:
        return

    def on_the_loop() -> None:
        for job, outcome in answers:
            job._settle(outcome)

    with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
        answers[0][0].loop.call_soon_threadsafe(on_the_loop)
