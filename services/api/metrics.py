"""What Prometheus collects at `/metrics`."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)

from api.schemas import ModelName

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The numbers of one application, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "handwriting_requests",
            "Answered requests.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "handwriting_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["method", "route", "status"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.decode_seconds = Histogram(
            "handwriting_decode_seconds",
            "From an image file to pixels.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.inference_seconds = Histogram(
            "handwriting_inference_seconds",
            "From the pixels of one image to its text.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.ready = Gauge(
            "handwriting_ready", "1 when a model is ready, else 0.", registry=self.registry
        )
        self.registry_up = Gauge(
            "handwriting_registry_up",
            "1 when the registry answered the last poll, else 0.",
            registry=self.registry,
        )
        self.model = Info(
            "handwriting_model", "The version that is served.", registry=self.registry
        )
        self.swaps = Counter(
            "handwriting_model_swaps", "Versions put into service.", registry=self.registry
        )
        self.swap_failures = Counter(
            "handwriting_model_swap_failures",
            "Attempts to put a version into service that failed.",
            registry=self.registry,
        )

    def serves(self, name: ModelName) -> None:
        self.model.info(name.model_dump())
        self.ready.set(1)
