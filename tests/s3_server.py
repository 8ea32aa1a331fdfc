"""A bucket: as much of the protocol of S3 as it takes to list, read, write and delete files."""

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape


@contextmanager
def bucket_server(files: dict[str, bytes]) -> Iterator[str]:
    """Serve files, `bucket/key` to content, and take changes to them; gives the endpoint."""
    parts: dict[str, dict[int, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            path, _ = self._asked()
            if "/" not in path.rstrip("/"):
                found = any(name.startswith(f"{path.rstrip('/')}/") for name in files)
                self._answer(200 if found else 404)
            elif path in files:
                self._answer(200, length=len(files[path]))
            else:
                self._answer(404)

        def do_GET(self) -> None:
            path, query = self._asked()
            if "list-type" in query:
                self._answer(200, _listing(path.rstrip("/"), query, files).encode())
            elif path not in files:
                self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            elif wanted := self.headers.get("Range"):
                first, last = wanted.removeprefix("bytes=").split("-")
                data = files[path][int(first) : int(last) + 1]
                span = f"bytes {first}-{int(first) + len(data) - 1}/{len(files[path])}"
                self._answer(206, data, span=span)
            else:
                self._answer(200, files[path])

        def do_POST(self) -> None:
            path, query = self._asked()
            body = self._body()
            if "delete" in query:
                keys = [unescape(key) for key in re.findall(r"<Key>(.*?)</Key>", body.decode())]
                for key in keys:
                    files.pop(f"{path.rstrip('/')}/{key}", None)
                gone = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
                self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode())
                return
            if "uploads" in query:
                parts[path] = {}
                name, answer = "InitiateMultipartUploadResult", "<UploadId>u</UploadId>"
            else:
                files[path] = b"".join(data for _, data in sorted(parts.pop(path).items()))
                name, answer = "CompleteMultipartUploadResult", "<ETag>e</ETag>"
            self._answer(200, f"<{name}>{answer}</{name}>".encode())

        def do_PUT(self) -> None:
            path, query = self._asked()
            data = self._body()
            if "partNumber" in query:
                parts[path][int(query["partNumber"][0])] = data
                self._answer(200)
            elif source := self.headers.get("x-amz-copy-source"):
                files[path] = files[unquote(source).lstrip("/")]
                self._answer(200, b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
            elif self.headers.get("If-None-Match") == "*" and path in files:
                self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            else:
                files[path] = data
                self._answer(200)

        def do_DELETE(self) -> None:
            files.pop(self._asked()[0], None)
            self._answer(204)

        def _asked(self) -> tuple[str, dict[str, list[str]]]:
            parts = urlsplit(self.path)
            return unquote(parts.path)[1:], parse_qs(parts.query, keep_blank_values=True)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            # chunks of HTTP, and what they carry is in chunks, too
            outer = _unchunked(self.rfile)
            self.rfile.readline()
            return _unchunked(io.BytesIO(outer))

        def _answer(
            self, status: int, data: bytes = b"", *, length: int | None = None, span: str = ""
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data) if length is None else length))
            self.send_header("ETag", '"e"')
            self.send_header("Last-Modified", "Sat, 21 Nov 2026 12:00:00 GMT")
            if span:
                self.send_header("Content-Range", span)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _unchunked(stream: BinaryIO) -> bytes:
    whole = b""
    while length := int(stream.readline().partition(b";")[0], 16):
        whole += stream.read(length)
        stream.readline()
    return whole


def _listing(bucket: str, query: dict[str, list[str]], files: dict[str, bytes]) -> str:
    prefix, delimiter = (query.get(name, [""])[0] for name in ("prefix", "delimiter"))
    most = int(query.get("max-keys", ["1000"])[0])
    home = f"{bucket}/"
    keys = sorted(name.removeprefix(home) for name in files if name.startswith(home))
    contents, folders = [], dict[str, None]()
    for key in (key for key in keys if key.startswith(prefix)):
        head, mark, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        if mark:
            folders[f"{prefix}{head}/"] = None
        else:
            contents.append(key)
    body = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{len(files[f'{bucket}/{key}'])}</Size>"
        "<LastModified>2026-11-21T12:00:00.000Z</LastModified></Contents>"
        for key in contents[:most]
    )
    body += "".join(
        f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders
    )
    count = len(contents[:most]) + len(folders)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
        f"<Name>{bucket}</Name><KeyCount>{count}</KeyCount><IsTruncated>false</IsTruncated>{body}"
        "</ListBucketResult>"
    )
