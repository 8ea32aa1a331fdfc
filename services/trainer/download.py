"""Downloads that go on where they were cut off."""

import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception

log = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
"""Called with the bytes at hand and the bytes there will be, None when the server does not say."""

_LONGEST_WAIT = 60.0
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


class DownloadError(Exception):
    """A file could not be brought whole; the message says what to do."""


class _FailedAttemptError(Exception):
    """This attempt came to nothing, another may not."""


@dataclass(frozen=True, slots=True)
class _Note:
    """What the bytes at hand belong to; kept beside them."""

    url: str
    validator: str | None
    """For If-Range: a strong ETag, else the date; None where the server gives neither."""
    size: int | None


def download(
    url: str,
    part: Path,
    *,
    progress: Progress | None = None,
    attempts: int = 6,
    wait: float = 1.0,
) -> None:
    """Bring `url` whole into `part`, going on from what an earlier call brought.

    Args:
        url: HTTP or HTTPS; redirects are followed.
        part: takes the bytes; a file of the same name with `.json` added says whose they are.
        progress: called often, from this thread.
        attempts: how many attempts in a row may bring nothing new before giving up.
        wait: seconds before the next attempt, doubled while nothing new comes, 60 at most.

    Raises:
        DownloadError: no network, a refusal, no room, or a connection that keeps failing.
            What was brought stays for the next call.
    """
    try:
        host = httpx.URL(url).host or url
    except httpx.InvalidURL as error:
        raise DownloadError(f"'{url}' is not a web address: {error}.") from error
    transfer = _Transfer(url, part, progress)
    retrying = Retrying(
        retry=retry_if_exception(transfer.may_try_again),
        stop=lambda _: transfer.idle >= attempts,
        wait=lambda _: min(wait * 2**transfer.idle, _LONGEST_WAIT),
        before_sleep=_log_wait,
        reraise=True,
    )
    try:
        retrying(transfer.run)
    except (_FailedAttemptError, httpx.HTTPError) as error:
        if not transfer.reached:
            message = f"Cannot reach {host} ({error}): run this again when you are online."
        else:
            at_hand = f"{transfer.at_hand / 1e6:.1f} MB"
            message = f"{host} keeps failing ({error}): run this again to go on from {at_hand}."
        raise DownloadError(message) from error
    except OSError as error:
        raise DownloadError(f"Cannot write '{part}': {error.strerror or error}.") from error


def discard(part: Path) -> None:
    """Remove what was brought, so that the next download starts afresh."""
    # The bytes first: a note without bytes is harmless, bytes without a note are in the way
    part.unlink(missing_ok=True)
    forget(part)


def forget(part: Path) -> None:
    """Remove the note beside a download that is whole and has been moved away."""
    _note_file(part).unlink(missing_ok=True)


class _Transfer:
    """One download over as many attempts as it takes."""

    def __init__(self, url: str, part: Path, progress: Progress | None) -> None:
        self.reached = False
        self.idle = 0
        self._url = url
        self._part = part
        self._progress = progress
        self._most = self.at_hand

    @property
    def at_hand(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def may_try_again(self, error: BaseException) -> bool:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            return self.reached  # waiting helps a line that dropped, not a machine that is offline
        return isinstance(
            error,
            _FailedAttemptError
            | httpx.TimeoutException
            | httpx.NetworkError
            | httpx.RemoteProtocolError,
        )

    def run(self) -> None:
        try:
            self._attempt()
        except (httpx.HTTPError, _FailedAttemptError):
            # Only bytes never had before count: a server that starts again each time gets nowhere
            self.idle = 0 if self.at_hand > self._most else self.idle + 1
            self._most = max(self._most, self.at_hand)
            raise

    def _attempt(self) -> None:
        start, note = self.at_hand, self._own_note()
        if note is not None and start == note.size:
            self._report(start, note.size)
            return
        headers = {"Accept-Encoding": "identity"}  # coded bytes fit neither the size nor a range
        resumed = None
        if note is not None and note.validator is not None and start > 0:
            resumed = note
            headers |= {"Range": f"bytes={start}-", "If-Range": note.validator}
        with (
            httpx.Client(follow_redirects=True, timeout=_TIMEOUT) as client,
            client.stream("GET", self._url, headers=headers) as answer,
        ):
            self.reached = True
            self._refuse(answer, resuming=resumed is not None)
            if resumed is not None and answer.status_code == httpx.codes.PARTIAL_CONTENT:
                size: int | None = self._rest(answer, start, resumed)
            else:
                start, size = 0, _length(answer)
                self._part.write_bytes(b"")  # before the note, which must not vouch for old bytes
                _write_note(self._part, _Note(self._url, _validator(answer), size))
            self._receive(answer, start, size)
        self._settle(size, _validator(answer))

    def _own_note(self) -> _Note | None:
        note = _read_note(self._part)
        return note if note is not None and note.url == self._url else None

    def _refuse(self, answer: httpx.Response, *, resuming: bool) -> None:
        code = answer.status_code
        if code == httpx.codes.OK or (resuming and code == httpx.codes.PARTIAL_CONTENT):
            return
        if resuming and code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            discard(self._part)
            raise _FailedAttemptError("it no longer has the rest of this file")
        if code in _BUSY:
            raise _FailedAttemptError(f"it answers {code} {answer.reason_phrase}")
        raise DownloadError(
            f"{answer.url.host} answers {code} {answer.reason_phrase} for {self._url}."
        )

    def _rest(self, answer: httpx.Response, start: int, note: _Note) -> int:
        """The size of the whole file, once it is sure that the rest of it follows."""
        match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != start or note.size not in (None, int(match[2])):
            discard(self._part)
            raise _FailedAttemptError("it sent a part that does not fit")
        return int(match[2])

    def _receive(self, answer: httpx.Response, start: int, size: int | None) -> None:
        self._report(start, size)
        with self._part.open("ab") as file:
            # No chunk size: httpx would hold bytes back and lose them when the line drops
            for chunk in answer.iter_raw():
                file.write(chunk)
                start += len(chunk)
                self._report(start, size)
            file.flush()
            os.fsync(file.fileno())

    def _settle(self, size: int | None, validator: str | None) -> None:
        at_hand = self.at_hand
        if size is None:
            _write_note(self._part, _Note(self._url, validator, at_hand))
        elif at_hand < size:
            raise _FailedAttemptError(f"it sent {at_hand} of {size} bytes")
        elif at_hand > size:
            discard(self._part)
            raise _FailedAttemptError(f"it sent {at_hand} bytes where it announced {size}")

    def _report(self, done: int, size: int | None) -> None:
        if self._progress is not None:
            self._progress(done, size)


def _length(answer: httpx.Response) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _validator(answer: httpx.Response) -> str | None:
    etag: str | None = answer.headers.get("ETag")
    # If-Range takes no weak tags: they also match files that differ in some bytes
    if etag is not None and not etag.startswith("W/"):
        return etag
    date: str | None = answer.headers.get("Last-Modified")
    return date


def _note_file(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _write_note(part: Path, note: _Note) -> None:
    _note_file(part).write_text(json.dumps(asdict(note)), encoding="utf-8")


def _read_note(part: Path) -> _Note | None:
    try:
        return _Note(**json.loads(_note_file(part).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _log_wait(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    wait = state.next_action.sleep if state.next_action is not None else 0
    log.warning("download interrupted (%s), going on in %.0f s", error, wait)
