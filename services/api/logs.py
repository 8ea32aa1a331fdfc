"""Structured logs: one line an event, JSON or for reading at a console."""

import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


class _Handler(logging.StreamHandler[TextIO]):
    """The one handler of this module, told apart from those of others."""


def configure(level: str, form: Literal["json", "console"]) -> None:
    """Send structlog and the standard library's loggers, uvicorn's too, to standard error.

    Lines of structlog do not go through the standard library: a request waits for its line, and
    so it takes half the time.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.MaybeTimeStamper(fmt="iso", utc=True),  # of some it is given
    ]
    rendered: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if form == "json"
        else [_visible, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*shared, *rendered, _encoded],
        logger_factory=_Lines,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    _configure_library(level, shared, rendered)


def written(when: float) -> str:
    """Seconds of `time.time` as the `timestamp` of a line."""
    return datetime.fromtimestamp(when, UTC).isoformat().replace("+00:00", "Z")


class _Lines:
    """Writes to standard error. A line that cannot be written is lost, and nothing else with it:
    no request may fail because a disk is full or nobody reads the log."""

    def __init__(self, name: str) -> None:
        self.name = name

    def msg(self, line: bytes) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.buffer.write(line + b"\n")  # at once: lines of two threads do not mix
            sys.stderr.buffer.flush()

    debug = info = warning = error = critical = log = msg


def _visible(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Paths of requests are anybody's: what moves the cursor of a terminal is written out."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable() and key != "exception":
            event[key] = "".join(
                each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in value
            )
    return event


def _encoded(_logger: WrappedLogger, _method: str, line: Any) -> bytes:
    text: str = line
    return text.encode()


def _configure_library(level: str, shared: list[Processor], rendered: list[Processor]) -> None:
    """The standard library's loggers: the same lines, the quiet ones quiet."""
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    root = logging.getLogger()
    for each in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(each)
    root.addHandler(handler)
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # `api.middleware` writes the line of each request, with its id
    logging.getLogger("uvicorn.access").disabled = True
    # an image's address may hold what opens it to whoever has it
    logging.getLogger("httpcore").setLevel(logging.INFO)
    # a line for each connection that is refused; the watcher says it once
    logging.getLogger("urllib3").setLevel(logging.ERROR)
