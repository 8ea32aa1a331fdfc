"""A web server as an image URL meets it, and a network in which it has a public address."""

import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import httpcore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PUBLIC = "93.184.215.14"
"""Where names lead to in these tests; nothing is ever sent there."""


class Web:
    """Answers every request with the same bytes, and keeps what it was asked.

    Listens on 127.0.0.1. What it received is in `requests`, even where that is no whole request;
    `connections` counts those who connected and sent nothing, too.
    """

    def __init__(self, answer: bytes | Iterable[bytes], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.names: list[str | None] = []
        self.connections = 0
        self.over = threading.Event()
        web = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                web.connections += 1
                try:
                    if tls:
                        with tls.wrap_socket(self.request, server_side=True) as secured:
                            self.answer(secured)
                    else:
                        self.answer(self.request)
                except OSError:
                    pass  # the client had enough

            def answer(self, connection: socket.socket) -> None:
                web.requests.append(connection.recv(65536))
                for part in [answer] if isinstance(answer, bytes) else answer:
                    if web.over.is_set():
                        return
                    connection.sendall(part)

        if tls:
            tls.sni_callback = lambda _, name, __: self.names.append(name)
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


def ok(body: bytes, *headers: str) -> bytes:
    """A whole answer."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def slowly() -> Iterator[bytes]:
    """An answer of a thousand bytes, twenty a second."""
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    for _ in range(1000):
        time.sleep(0.05)
        yield b"x"


@dataclass
class Network(httpcore.AsyncNetworkBackend):
    """The real network, but that `PUBLIC` lies on this machine, at the port given.

    `asked` has each address and port that was to be connected to.
    """

    port: int
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.asked.append((host, port))
        if host != PUBLIC:
            raise httpcore.ConnectError(f"{host} is not there")
        return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", self.port, timeout)


def certificate(path: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server of this name shows, and what a client needs to trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = path / "certificate.pem"
    pem.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=pem)
