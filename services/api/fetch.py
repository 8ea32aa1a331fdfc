"""Fetches images from allowed hosts, from exactly the address that was checked."""

import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address

import anyio
import httpcore

from api.errors import FetchError, HostDownError, HostSlowError, TooManyBytesError
from api.hosts import AllowList, Ip, Target

Resolve = Callable[[str, int], Awaitable[Sequence[Ip]]]

AT_ONCE = 8
"""Fetches at the same time; further ones wait, and their waiting counts."""

MOST_ADDRESSES = 4
"""Addresses of a host that are tried, one after the other."""


class Fetcher:
    """Gets the bytes of images. No proxy, no redirects, no cookies, no connection kept."""

    def __init__(
        self,
        allowed: AllowList,
        *,
        max_bytes: int,
        seconds: float,
        resolve: Resolve | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`seconds`: for the whole of a fetch, with waiting for its turn and for the name."""
        self._allowed = allowed
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._resolve = resolve or _resolve
        self._network = network or httpcore.AnyIOBackend()
        self._tls = tls or httpcore.default_ssl_context()
        self._limiter = anyio.CapacityLimiter(AT_ONCE)

    async def fetch(self, url: str) -> bytes:
        """The file at a URL, of whatever type its server says it is.

        Raises:
            UrlRefusedError: the URL, its host or the address of its host is not allowed.
                Nothing was sent then, and no connection opened.
            HostDownError: the host cannot be reached, breaks off, or says that it fails.
            HostSlowError: it does not answer in time.
            FetchError: it answers in time, though not with a file as it is.
            TooManyBytesError: the file is larger than `max_bytes`.
        """
        target = self._allowed.target(url)
        try:
            with anyio.fail_after(self._seconds):
                async with self._limiter:
                    addresses = await self._addresses(target)
                    return await self._get(target, addresses)
        except (TimeoutError, httpcore.TimeoutException):
            raise HostSlowError(
                f"{target.host} did not deliver the image within {self._seconds:g} seconds."
            ) from None

    async def _addresses(self, target: Target) -> Sequence[Ip]:
        """What the name stands for, asked once: a second answer could be another."""
        if target.ip:
            addresses: Sequence[Ip] = [target.ip]
        else:
            try:
                addresses = await self._resolve(target.host, target.port)
            except (OSError, UnicodeError):
                addresses = []
        if not addresses:
            raise HostDownError(f"The host name {target.host} is not known.")
        self._allowed.check(target, addresses)
        return addresses

    async def _get(self, target: Target, addresses: Sequence[Ip]) -> bytes:
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)
        # the URL keeps the host's name, for the header and the certificate; the connection has
        # the address alone
        async with httpcore.AsyncConnectionPool(
            ssl_context=self._tls,
            network_backend=_Pinned(self._network, addresses),
            max_keepalive_connections=0,
        ) as pool:
            try:
                async with pool.stream(
                    "GET",
                    httpcore.URL(
                        scheme=target.scheme, host=target.host, port=target.port, target=target.path
                    ),
                    headers=[
                        ("Host", target.authority),
                        ("Accept", "image/*"),
                        # what is packed small could unpack to more than the limit
                        ("Accept-Encoding", "identity"),
                        ("User-Agent", "handwriting"),
                    ],
                    extensions={"timeout": timeouts},
                ) as response:
                    return await self._body(target, response)
            except (httpcore.NetworkError, httpcore.ProtocolError) as error:
                if isinstance(error.__context__, ssl.SSLError):
                    raise HostDownError(f"{target.host} shows no certificate to trust.") from None
                raise HostDownError(
                    f"{target.host} cannot be reached, or broke off its answer."
                ) from None

    async def _body(self, target: Target, response: httpcore.Response) -> bytes:
        if response.status in range(300, 400):
            raise FetchError(f"{target.host} answers with a redirect, which is not followed here.")
        if response.status != 200:
            error = HostDownError if response.status >= 500 else FetchError
            raise error(f"{target.host} answers {response.status} where the image should be.")
        headers = {name.lower(): value for name, value in response.headers}
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise FetchError(f"{target.host} packs its answer, which was not asked for.")
        length = headers.get(b"content-length", b"")
        too_large = TooManyBytesError(
            f"The image at {target.host} is too large; at most {self._max_bytes} bytes are read."
        )
        if length.isdigit() and int(length) > self._max_bytes:
            raise too_large
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > self._max_bytes:
                raise too_large
        return bytes(body)


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to the addresses it was made with, whatever host it is asked for."""

    def __init__(self, network: httpcore.AsyncNetworkBackend, addresses: Sequence[Ip]) -> None:
        self._network = network
        self._addresses = addresses[:MOST_ADDRESSES]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        share = timeout / len(self._addresses) if timeout else None
        for address in self._addresses[:-1]:
            try:
                return await self._network.connect_tcp(
                    str(address), port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(
            str(self._addresses[-1]), port, share, local_address, socket_options
        )


async def _resolve(host: str, port: int) -> list[Ip]:
    """All addresses of a name, as this machine's resolver has them."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(address[0]) for *_, address in found]
