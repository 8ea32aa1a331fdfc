"""Image files in, readings out: decoding and inference beside the event loop."""

import time
from dataclasses import dataclass

import anyio
import anyio.to_thread

from api.metrics import Metrics
from api.schemas import AskedDecoder, AskedLevel
from api.serving import Served
from recognizer import image
from recognizer.errors import ReadingError
from recognizer.reading import Reading
from recognizer.recognizer import Decoder, Level


@dataclass(frozen=True)
class Asked:
    """How an image is to be read, as the request has it."""

    level: AskedLevel
    decoder: AskedDecoder
    alternatives: int


@dataclass(frozen=True)
class Read:
    """A reading, the size of its upright image in pixels, and the seconds it took."""

    reading: Reading
    width: int
    height: int
    decode_seconds: float
    recognise_seconds: float


class Engine:
    """Reads at most `threads` images at a time; further ones wait, first come, first served."""

    def __init__(self, threads: int, max_pixels: int, metrics: Metrics) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._max_pixels = max_pixels
        self._metrics = metrics

    async def read(self, model: Served, file: bytes, asked: Asked) -> Read:
        """Read one image file with the version given.

        Raises:
            ReadingError: the version does not offer what is asked.
            ImageError: the file cannot be read.
        """
        level, decoder = offered(model, asked)
        return await anyio.to_thread.run_sync(
            self._read, model, file, level, decoder, asked.alternatives, limiter=self._limiter
        )

    def _read(
        self, model: Served, file: bytes, level: Level, decoder: Decoder, alternatives: int
    ) -> Read:
        started = time.perf_counter()
        gray = image.decode(file, max_pixels=self._max_pixels)
        decoded = time.perf_counter()
        reading = model.recognizer.read(
            [gray], level=level, decoder=decoder, alternatives=alternatives
        )[0]
        finished = time.perf_counter()
        self._metrics.decode_seconds.observe(decoded - started)
        self._metrics.inference_seconds.observe(finished - decoded)
        height, width = gray.shape
        return Read(reading, width, height, decoded - started, finished - decoded)


def offered(model: Served, asked: Asked) -> tuple[Level, Decoder]:
    """Level and decoder, where the version offers both. Raises `ReadingError`."""
    if asked.level == "page" or asked.level not in model.levels:
        raise ReadingError(_not_offered(model, "level", asked.level, model.levels))
    if asked.decoder not in model.decoders:
        raise ReadingError(_not_offered(model, "decoder", asked.decoder, model.decoders))
    return asked.level, asked.decoder


def _not_offered(model: Served, name: str, value: str, values: list[str]) -> str:
    return (
        f"{model.version.name} version {model.version.version} does not offer "
        f"{name}={value}; it offers {', '.join(values)}."
    )
