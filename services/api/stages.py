"""What threads do with an image: decode and prepare, infer, decode again.

A prepared image waits in the batcher until one of the inference threads is free, which reads it
with whatever else of its width waits there.

One thread takes a lone image all the way. Where several are under way, inference threads also
prepare the small ones, between two batches: threads of their own for that would compete with them
for the interpreter and for the caches. Large files and pages have such threads, and hold up nobody.
"""

import math
from collections.abc import Callable
from time import perf_counter

from api.batcher import Batch, Batcher
from api.job import Job, Outcome, Page, Read, ReadLine, settle
from api.metrics import Metrics
from api.pace import Pace
from api.threads import NO_THREAD, Threads
from recognizer import image
from recognizer.decode import LogProbs
from recognizer.errors import ImageTooLargeError
from recognizer.image import Gray
from recognizer.page import FoundLine
from recognizer.prepare import prepare

LARGE = 200_000
"""Bytes of a file that may be a page, and take as long as a batch to prepare."""

MANY_PIXELS = 4_000_000
"""Of a file that takes as long, however few its bytes: flat paper packs into almost none."""

MOST_KEPT = 1_000_000
"""Pixels of a page that waits unpacked: of larger ones a full queue would fill the memory."""


class Stages:
    """`inferences` batches at a time, and as many images in each stage beside."""

    def __init__(self, *, inferences: int, helpers: int, max_pixels: int, metrics: Metrics) -> None:
        """`helpers`: threads that prepare what the others do not; as many decode, if slowly."""
        self._max_pixels = max_pixels
        self._metrics = metrics
        self._batcher = Batcher(inferences)
        self._pace = Pace()
        self._jobs = 0
        # threads are started when the first image comes
        # one more, as one of them may have gone on to infer
        self._preparing = Threads(helpers + 1, "prepare")
        self._inferring = Threads(inferences, "infer")
        self._decoding = Threads(helpers, "decode")

    def begin(self, job: Job) -> None:
        """Let it be read. Raises what starting a thread raises. To be ended in any case."""
        self._jobs += 1
        large = isinstance(job.image, bytes) and len(job.image) > LARGE
        if large or self._jobs == 1:
            self._preparing.submit(self._prepare, job)
        else:
            self._inferring.submit(self._prepare_small, job)

    def end(self, job: Job) -> None:
        """It has its answer, or nobody waits for it any more: no stage begins it then."""
        self._jobs -= 1
        job.abandoned = True

    def give_up(self, job: Job) -> None:
        """How long it waited counts, though it is not read."""
        job.begun(perf_counter())
        self._metrics.queue_seconds.observe(job.queue_seconds)

    def close(self) -> None:
        """Let the threads end."""
        for threads in (self._preparing, self._inferring, self._decoding):
            threads.close()

    def decoded(
        self, file: bytes, most: float = math.inf, wanted: Callable[[], bool] = lambda: True
    ) -> Gray:
        """The pixels of a file. Raises `ImageError`."""
        return image.decode(file, max_pixels=int(min(self._max_pixels, most)), wanted=wanted)

    def _prepare_small(self, job: Job) -> None:
        """In an inference thread, which must not be held up: what takes long goes elsewhere."""
        self._prepare(job, quick=True)

    def _prepare(self, job: Job, *, quick: bool = False) -> None:
        """Not begun for nobody; a failure is the image's answer. `quick`: or not at all here."""
        if job.abandoned:
            return
        job.begun(perf_counter())
        try:
            if quick and self._takes_long(job):
                self._prepare_apart(job)
                return
            page = self._made_ready(job)
            if page is not None:
                job.settle(page)
            elif self._batcher.put(job):
                self._read_on()
        except Exception as error:
            job.settle(error)

    def _takes_long(self, job: Job) -> bool:
        """Whether it has many pixels, or lines to be found.

        Nothing tells of those but the file's header, and of these but the pixels, which are kept.
        """
        file = job.image
        try:
            gray = self._pixels(job, MANY_PIXELS)
        except ImageTooLargeError:
            return True
        may_be_page = job.asked.level == "auto" and job.model.recognizer.may_be_page(gray)
        if not may_be_page and job.asked.level != "page":
            return False
        if gray.size > MOST_KEPT:
            job.image = file  # to unpack it again takes little of what it takes to find its lines
        return True

    def _pixels(self, job: Job, most: float = math.inf) -> Gray:
        """Of its image, which is decoded once. Raises `ImageError`."""
        if isinstance(job.image, bytes):
            began = perf_counter()
            job.image = self.decoded(job.image, most, lambda: not job.abandoned)
            job.decode_seconds = perf_counter() - began
        return job.image

    def _prepare_apart(self, job: Job) -> None:
        job.waits_since = perf_counter()
        try:
            self._preparing.submit(self._prepare, job)
        except NO_THREAD as error:
            job.settle(error)

    def _read_on(self) -> None:
        # here where it is alone: to wake another thread takes longer than to prepare a word
        if self._jobs == 1 or not self._handed_on():
            self._infer()

    def _handed_on(self) -> bool:
        """Let an inference thread read the next batch; False where none can be started."""
        try:
            self._inferring.submit(self._infer)
        except NO_THREAD:
            return False
        return True

    def _made_ready(self, job: Job) -> Page | None:
        """Fill in what the network needs; or the lines of an image that is a page."""
        gray = self._pixels(job)
        job.image = b""
        decoded = perf_counter()
        lines = self._page_lines(job, gray)
        if lines is not None:
            found = perf_counter() - decoded
            self._metrics.find_seconds.observe(found)
            height, width = gray.shape
            return Page(lines, width, height, job.decode_seconds, found)
        job.ready = prepare(gray, job.model.recognizer.manifest.input)
        job.height, job.width = gray.shape
        job.prepared_at = job.waits_since = perf_counter()
        job.recognise_seconds = job.prepared_at - decoded
        job.prepare_seconds = job.decode_seconds + job.recognise_seconds
        return None

    @staticmethod
    def _page_lines(job: Job, gray: Gray) -> list[FoundLine] | None:
        recognizer = job.model.recognizer

        def wanted() -> bool:
            return not job.abandoned

        if job.asked.level == "page":
            return recognizer.lines(gray, wanted)
        return recognizer.page_lines(gray, wanted) if job.asked.level == "auto" else None

    def _infer(self) -> None:
        """Read a batch, and let the thread prepare what came meanwhile before the next."""
        while batch := self._batcher.take():
            try:
                self._read(batch)
            except Exception as error:
                for job in batch.jobs:
                    job.settle(error)
            if self._batcher.rests() or self._handed_on():
                return

    def _read(self, batch: Batch) -> None:
        lone = self._jobs == 1
        columns = batch.jobs[0].ready.ink.shape[1]
        all_cores = lone and self._pace.all_cores(columns)
        began = perf_counter()
        for job in batch.jobs:
            job.begun(began)
        found = batch.recognizer.infer([job.ready for job in batch.jobs], alone=all_cores)
        seconds = perf_counter() - began
        if lone:
            self._pace.took(all_cores, columns, seconds)
        answers: list[tuple[Job, Outcome]] = []
        for job, log_probs in zip(batch.jobs, found, strict=True):
            job.recognise_seconds += seconds
            if not job.light:
                job.waits_since = perf_counter()
                self._decoding.submit(self._decode, job, log_probs)
            elif not job.abandoned:
                answers.append((job, self._outcome(job, log_probs)))
        self._metrics.infer_seconds.observe(seconds)
        self._metrics.batch_images.observe(len(batch.jobs))
        settle(answers)

    def _decode(self, job: Job, log_probs: LogProbs) -> None:
        if not job.abandoned:
            job.begun(perf_counter())
            job.settle(self._outcome(job, log_probs))

    def _outcome(self, job: Job, log_probs: LogProbs) -> Outcome:
        try:
            read = self._read_of(job, log_probs)
            self._count(job, read)
        except Exception as error:
            return error
        return read

    def _count(self, job: Job, read: Read) -> None:
        self._metrics.queue_seconds.observe(job.queue_seconds)
        self._metrics.prepare_seconds.observe(job.prepare_seconds)
        self._metrics.decode_seconds.observe(read.recognise_seconds - job.recognise_seconds)
        written = job.ready.ink.shape[0] * job.ready.scale * job.width
        ink_share = float(job.ready.ink.sum()) / written
        self._metrics.has_read(ink_share, read.lines[0].reading)

    def _read_of(self, job: Job, log_probs: LogProbs) -> Read:
        began = perf_counter()
        reading = job.model.recognizer.interpret(
            log_probs,
            job.ready,
            width=job.width,
            level="word" if job.asked.level == "word" else "line",
            decoder=job.decoder,
            alternatives=job.asked.alternatives,
        )
        recognised = job.recognise_seconds + perf_counter() - began
        return Read(
            "word" if job.asked.level == "word" else "line",
            job.decoder,
            (ReadLine(reading),),
            job.width,
            job.height,
            job.decode_seconds,
            recognised,
        )
