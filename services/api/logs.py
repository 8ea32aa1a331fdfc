"""Structured logs: one line an event, JSON or for reading at a console."""

import logging
import select
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


class _Handler(logging.Handler):
    """The one handler of this module, told apart from those of others."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _ERROR.write(self.format(record).encode())
        except Exception:
            self.handleError(record)


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


PATIENCE = 100
"""Milliseconds for which whoever reads the log may keep a line waiting; the next ones wait no more
until there is room again."""


class _Error:
    """Standard error. Safe to share by threads.

    A line that cannot be written is lost, and nothing else with it: no request may fail because a
    disk is full, or hang because nobody reads the log. The next line that can be written says first
    how many were lost.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._lost = 0
        self._cut = False

    def write(self, line: bytes) -> None:
        """Write a line, to which the end of the line is added here."""
        with self._lock:
            if self._lost and _has_room(0):
                lost, self._lost = self._lost, 0
                structlog.get_logger("api.logs").warning("log lines lost", lines=lost)
            # whatever was left of a line that was cut off ends first
            data = b"\n" * self._cut + line + b"\n"
            written = 0
            patience = 0 if self._lost else PATIENCE
            with suppress(OSError, ValueError):
                while written < len(data) and _has_room(patience):
                    sys.stderr.buffer.write(data[written : written + select.PIPE_BUF])
                    sys.stderr.buffer.flush()
                    written += select.PIPE_BUF
            if written:
                self._cut = written < len(data)
            if written < len(data):
                self._lost += 1


def _has_room(patience: int) -> bool:
    """Whether PIPE_BUF bytes can be written at once, within so many milliseconds: into a pipe that
    nobody reads they cannot."""
    poll = select.poll()
    try:
        poll.register(sys.stderr.buffer.fileno(), select.POLLOUT)
    except (OSError, ValueError):
        return True  # something else than a file stands in for it
    return bool(poll.poll(patience))


_ERROR = _Error()


class _Lines:
    """What structlog gives its lines to."""

    def __init__(self, name: str) -> None:
        self.name = name

    def msg(self, line: bytes) -> None:
        _ERROR.write(line)

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
    handler = _Handler()
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
