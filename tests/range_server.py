"""A web server on this machine that hands out one file, and misbehaves when told to."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Behaviour:
    """What the server does; tests change it between requests and read what it saw."""

    body: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    announce_length: bool = True
    cuts: list[int] = field(default_factory=list)
    """After how many bytes of the body each of the next answers breaks off."""
    statuses: list[HTTPStatus] = field(default_factory=list)
    """What each of the next answers is instead of the file."""
    shift: int = 0
    """How many bytes too late a range starts."""
    url: str = ""
    seen: list[str | None] = field(default_factory=list)
    """The Range header of each request."""
    validators: list[str | None] = field(default_factory=list)
    """The If-Range header of each request."""


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[Behaviour]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, behaviour)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        behaviour.url = f"http://127.0.0.1:{server.server_port}/files/IAM_Words.zip"
        yield behaviour
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, behaviour: Behaviour) -> None:
    handler.close_connection = True
    asked = handler.headers.get("Range")
    behaviour.seen.append(asked)
    behaviour.validators.append(handler.headers.get("If-Range"))
    if behaviour.statuses:
        handler.send_response(behaviour.statuses.pop(0))
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    start = 0
    current = handler.headers.get("If-Range") in (None, behaviour.etag)
    if asked is not None and behaviour.ranges and current:
        match = re.fullmatch(r"bytes=(\d+)-", asked)
        assert match is not None
        start = int(match[1]) + behaviour.shift
        handler.send_response(HTTPStatus.PARTIAL_CONTENT)
        last, size = len(behaviour.body) - 1, len(behaviour.body)
        handler.send_header("Content-Range", f"bytes {start}-{last}/{size}")
    else:
        handler.send_response(HTTPStatus.OK)
    body = behaviour.body[start:]
    if behaviour.etag is not None:
        handler.send_header("ETag", behaviour.etag)
    if behaviour.announce_length:
        handler.send_header("Content-Length", str(len(body)))
    else:
        handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(body[: behaviour.cuts.pop(0)] if behaviour.cuts else body)
