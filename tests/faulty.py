"""A way to an MLflow server on which things go wrong when a test says so."""

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from servers import NAME, Mlflow

Fault = Literal["none", "slow", "error", "cut off", "too short"]

SLOW_SECONDS = 1.0
HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "server", "date"})


class Faulty:
    """Passes requests on to an MLflow server, and answers as `fault` says.

    slow: each answer a second later; error: 500 to everything; cut off: the connection breaks in
    the middle of each file; too short: half of each file, as if it were the whole.
    """

    def __init__(self, server: Mlflow) -> None:
        self.fault: Fault = "none"
        self.asked = 0
        self._server = server
        way = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                way.asked += 1
                way.answer(self)

            do_GET = do_POST = do_PATCH = do_PUT = handle_one

            def log_message(self, *_: object) -> None:
                pass

        self._listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._listener.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self._listener.server_port}"

    def register(self, bundle: Path, name: str = NAME, **metrics: float) -> str:
        return self._server.register(bundle, name, **metrics)

    def move(self, version: str, stage: str, name: str = NAME, *, archive: bool = True) -> None:
        self._server.move(version, stage, name, archive=archive)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        fault = self.fault
        if fault == "error":
            handler.send_error(500, "Internal Server Error")
            return
        onward = http.client.HTTPConnection(self._server.uri.removeprefix("http://"), timeout=30)
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in {"host"}}
        onward.request(handler.command, handler.path, body or None, headers)
        answer = onward.getresponse()
        content = answer.read()
        is_file = handler.command == "GET" and "/mlflow-artifacts/artifacts/" in handler.path
        if fault == "slow":
            time.sleep(SLOW_SECONDS)
        half = is_file and fault in ("cut off", "too short")
        sent = content[: len(content) // 2] if half else content
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                handler.send_header(name, value)
        promised = sent if fault == "too short" else content
        handler.send_header("Content-Length", str(len(promised)))
        handler.end_headers()
        handler.wfile.write(sent)
        onward.close()

    def __enter__(self) -> Self:
        threading.Thread(target=self._listener.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown()
        self._listener.server_close()
