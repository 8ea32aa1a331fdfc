"""What Prometheus collects at `/metrics`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from api.noted import Histogram, Noted, Series
from api.schemas import ModelName
from recognizer.reading import Reading

log = structlog.get_logger(__name__)

STAGE_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

SECONDS_BETWEEN_COUNTS = 0.25

Answered = tuple[str, str, str]
"""Method, route and status of a request."""


class Metrics:
    """The numbers of one application, in a registry of their own.

    Where it is one of several workers, prometheus_client keeps them in files that all share (its
    multiprocess mode, see `api.workers`), and any worker tells the sums.
    """

    def __init__(self, pids: Callable[[], list[int]] | None = None) -> None:
        """`pids`: the processes of all workers, where there are several."""
        self.registry = CollectorRegistry()
        # of this process alone, or not kept in files
        own = self.registry if pids is None else CollectorRegistry()
        PlatformCollector(registry=own)
        if pids is None:
            ProcessCollector(registry=own)
        else:
            own.register(_Processes(pids))
            MultiProcessCollector(own)  # type: ignore[no-untyped-call]
        self._told = own
        self._noted = Noted[Histogram]()
        self._answered = Noted[Answered]()
        self.inside = 0
        """Images accepted and not yet answered."""
        self._requests = Counter(
            "handwriting_requests",
            "Answered requests.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "handwriting_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["method", "route", "status"],
            buckets=SECONDS,
            registry=self.registry,
        )
        stages = Histogram(
            "handwriting_stage_seconds",
            "Of an image: queue (waiting for threads), prepare (from the file to the network's "
            "input), find (the lines of a page), infer (its whole batch), decode (from "
            "log-probabilities to text).",
            ["stage"],
            buckets=STAGE_SECONDS,
            registry=self.registry,
        )
        self.queue_seconds = Series(stages.labels("queue"), self._noted)
        self.prepare_seconds = Series(stages.labels("prepare"), self._noted)
        self.find_seconds = Series(stages.labels("find"), self._noted)
        self.infer_seconds = Series(stages.labels("infer"), self._noted)
        self.decode_seconds = Series(stages.labels("decode"), self._noted)
        self.batch_images = self._series(
            "handwriting_batch_images",
            "Images that went through the network together.",
            (1, 2, 4, 8, 16),
        )
        self._queue_images = Gauge(
            "handwriting_queue_images",
            "Images accepted and not yet answered.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.queue_limit = Gauge(
            "handwriting_queue_limit_images",
            "How many of them there may be before requests are refused.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.shed = Counter(
            "handwriting_shed_requests",
            "Refused because of too many before them (queue), too much on its way (uploads), the "
            "time it took (deadline), or because the service is stopping (draining).",
            ["reason"],
            registry=self.registry,
        )
        for reason in ("queue", "uploads", "deadline", "draining"):
            self.shed.labels(reason)  # shown as 0 from the start: a rate needs two points
        self._drift()
        self.ready = Gauge(
            "handwriting_ready",
            "1 when a model is ready, else 0.",
            multiprocess_mode="livemin",
            registry=self.registry,
        )
        self.registry_up = Gauge(
            "handwriting_registry_up",
            "1 when the registry answered the last poll, else 0.",
            multiprocess_mode="livemax",  # one of the workers asks it
            registry=self.registry,
        )
        self.model = Info("handwriting_model", "The version that is served.", registry=own)
        self.swaps = Counter(
            "handwriting_model_swaps", "Versions put into service.", registry=self.registry
        )
        self.swap_failures = Counter(
            "handwriting_model_swap_failures",
            "Attempts to put a version into service that failed.",
            registry=self.registry,
        )

    def _drift(self) -> None:
        """What shows that other images come than a version was trained on."""
        self._ink_share = self._series(
            "handwriting_ink_share",
            "Mean ink of an image's pixels, 0 for blank paper to 1.",
            (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.6),
        )
        self._confidence = self._series(
            "handwriting_confidence",
            "Confidence of a reading.",
            (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0),
        )
        self._characters = self._series(
            "handwriting_text_characters",
            "Characters of a reading.",
            (0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128),
        )

    def _series(self, name: str, documentation: str, buckets: Sequence[float]) -> Series:
        histogram = Histogram(name, documentation, buckets=buckets, registry=self.registry)
        return Series(histogram, self._noted)

    def has_read(self, ink_share: float, reading: Reading) -> None:
        self._ink_share.observe(ink_share)
        self._confidence.observe(reading.confidence)
        self._characters.observe(len(reading.text))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request, `seconds` after it began."""
        self._answered.note((method, route, str(status)), seconds)

    def count(self) -> None:
        """What was noted since, and what is inside now."""
        for histogram, amounts in self._noted.take().items():
            histogram.observe_all(amounts)
        for labels, seconds in self._answered.take().items():
            self._count_answers(labels, seconds)
        self._queue_images.set(self.inside)

    def _count_answers(self, labels: Answered, seconds: Sequence[float]) -> None:
        try:
            self._requests.labels(*labels).inc(len(seconds))
            self._request_seconds.labels(*labels).observe_all(seconds)
        except OSError as error:  # such are the first, and the disk has no room for their numbers
            log.error("requests not counted", labels=labels, error=str(error))

    @asynccontextmanager
    async def counting(self) -> AsyncIterator[None]:
        """Count every now and then, for the other workers to tell."""
        task = asyncio.create_task(self._count_on())
        try:
            yield
        finally:
            task.cancel()
            self.count()

    async def _count_on(self) -> None:
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_COUNTS)
            try:
                self.count()
            except Exception:  # what comes later is counted
                log.exception("numbers not counted")

    def serves(self, name: ModelName) -> None:
        self.model.info(name.model_dump())
        self.ready.set(1)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        self.count()
        return generate_latest(self._told)


class _Processes(Collector):
    """Memory, processor time and files of all workers together."""

    def __init__(self, pids: Callable[[], list[int]]) -> None:
        self._pids = pids

    def collect(self) -> Iterable[Metric]:
        sums: dict[str, Metric] = {}
        for pid in self._pids():
            for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                first = sums.setdefault(metric.name, metric)
                if first is not metric:
                    value = first.samples[0].value + metric.samples[0].value
                    first.samples[0] = first.samples[0]._replace(value=value)
        sums.pop("process_start_time_seconds", None)
        return sums.values()
