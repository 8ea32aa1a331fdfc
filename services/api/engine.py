"""Image files in, readings out. No stage of it holds up the event loop: see `api.stages`."""

import asyncio
from dataclasses import replace
from time import perf_counter

from api.admission import Admission
from api.job import Asked, Job, Page, Read, ReadLine
from api.later import Later, Within
from api.serving import Served
from api.stages import Stages
from recognizer.errors import ReadingError
from recognizer.image import Gray
from recognizer.page import FoundLine

LINES_AT_A_TIME = 16
"""Of one page: what comes after it does not wait for all of its lines."""


class Engine:
    """Reads images in time, or not at all."""

    def __init__(self, stages: Stages, *, deadline: float, admission: Admission) -> None:
        """`deadline`: seconds."""
        self.admission = admission
        self._stages = stages
        self._deadline = Later(deadline)

    async def read(
        self, model: Served, file: bytes, asked: Asked, *, admitted: bool = False
    ) -> Read:
        """Read one image file with the version given.

        When the caller is cancelled, its image leaves: it is not begun where it waits.

        Args:
            admitted: it is part of what was let in already, and finds room whatever waits.

        Raises:
            ReadingError: the version does not offer what is asked.
            ImageError: the file cannot be read.
            OverloadedError: too many wait, or it was not read within the deadline.
        """
        offered(model, asked)
        if not admitted:
            self.admission.check_room()
        with self.admission.enter():
            try:
                with Within(self._deadline):
                    answer = await self._answer(model, file, asked)
                    if isinstance(answer, Page):
                        return await self._read_lines(model, answer, asked)
                    return answer
            except TimeoutError:
                raise self.admission.late(self._deadline.seconds) from None

    async def size(self, file: bytes) -> tuple[int, int]:
        """Width and height of an image file, upright. Raises as `read`."""
        self.admission.check_room()
        try:
            with Within(self._deadline):
                shape = (await asyncio.to_thread(self._stages.decoded, file)).shape
        except TimeoutError:
            raise self.admission.late(self._deadline.seconds) from None
        return shape[1], shape[0]

    async def _answer(self, model: Served, image: bytes | Gray, asked: Asked) -> Read | Page:
        loop = asyncio.get_running_loop()
        job = Job(model, image, asked, loop, loop.create_future())
        try:
            self._stages.begin(job)
            return await job.answer
        except asyncio.CancelledError:
            self._stages.give_up(job)
            raise
        finally:
            self._stages.end(job)

    async def _read_lines(self, model: Served, page: Page, asked: Asked) -> Read:
        """The lines of a page: each goes the way of any other image, and shares its batches."""
        began = perf_counter()
        as_line = replace(asked, level="line")
        places = asyncio.Semaphore(LINES_AT_A_TIME)

        async def read(found: FoundLine) -> Read | Page:
            async with places:
                return await self._answer(model, found.strip.pixels, as_line)

        tasks = [asyncio.ensure_future(read(found)) for found in page.lines]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # where one has failed, nobody waits for the others
                task.cancel()
        return Read(
            level="page",
            decoder=asked.decoder_of(model),
            lines=tuple(
                ReadLine(answer.lines[0].reading, found)
                for found, answer in zip(page.lines, answers, strict=True)
                if isinstance(answer, Read)
            ),
            width=page.width,
            height=page.height,
            decode_seconds=page.decode_seconds,
            recognise_seconds=page.find_seconds + perf_counter() - began,
        )

    def close(self) -> None:
        """Let the threads end."""
        self._stages.close()


def offered(model: Served, asked: Asked) -> None:
    """Raises `ReadingError` where the version does not offer the level or the decoder."""
    if asked.level not in model.levels:
        raise ReadingError(_not_offered(model, "level", asked.level, model.levels))
    if asked.decoder not in model.decoders:
        raise ReadingError(_not_offered(model, "decoder", asked.decoder, model.decoders))


def _not_offered(model: Served, name: str, value: str, values: list[str]) -> str:
    return (
        f"{model.version.name} version {model.version.version} does not offer "
        f"{name}={value}; it offers {', '.join(values)}."
    )
