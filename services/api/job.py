"""One image on its way through the engine."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

from api.serving import Served
from recognizer.prepare import Prepared
from recognizer.reading import Reading
from recognizer.recognizer import Decoder, Level


@dataclass(frozen=True)
class Read:
    """A reading, the size of its upright image in pixels, and the seconds it took."""

    reading: Reading
    width: int
    height: int
    decode_seconds: float
    recognise_seconds: float


@dataclass(eq=False)
class Job:
    """An image file, the version that reads it to the end, how, and where the answer goes.

    The threads of the engine pass it on; each fills in what the next needs.
    """

    model: Served
    file: bytes
    level: Level
    decoder: Decoder
    alternatives: int
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Read]
    accepted_at: float = field(default_factory=perf_counter)
    abandoned: bool = False
    """Nobody waits for the answer any more: every stage drops it."""

    ready: Prepared = field(init=False)
    width: int = field(init=False)
    height: int = field(init=False)
    prepared_at: float = field(init=False)
    decode_seconds: float = field(init=False)
    queue_seconds: float = 0.0
    recognise_seconds: float = 0.0

    @property
    def light(self) -> bool:
        """Whether its logits are decoded in less time than passing them on would take."""
        return self.decoder == "greedy" and not self.alternatives

    def settle(self, outcome: Read | Exception) -> None:
        """Answer, from any thread."""
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            self.loop.call_soon_threadsafe(self._settle, outcome)

    def _settle(self, outcome: Read | Exception) -> None:
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)
