"""Which addresses images may be fetched from: the allow-list, and what counts as public."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Self
from urllib.parse import urlsplit

from api.errors import UrlRefusedError

Ip = IPv4Address | IPv6Address

DEFAULT_PORTS = {"http": 80, "https": 443}

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_ENTRY = re.compile(r"(?P<any>\*\.)?(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:(?P<port>[0-9]{1,5}))?")

# Python's own lists grew over its versions: what some of them call global is named here.
_NOT_PUBLIC = [
    IPv4Network(each)
    for each in (
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # a cloud's own services, reached from inside its machines
    )
]
_PUBLIC_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = [IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "3fff::/20")]
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class Entry:
    """One entry of the list: a host, all hosts below a domain, or an IP address."""

    host: str
    below: bool
    port: int | None

    def admits(self, host: str, port: int) -> bool:
        named = host.endswith(f".{self.host}") if self.below else host == self.host
        ports = DEFAULT_PORTS.values() if self.port is None else (self.port,)
        return named and port in ports


@dataclass(frozen=True)
class Target:
    """Where an image lies, in the parts that a request is made of."""

    scheme: str
    host: str
    port: int
    path: str
    ip: Ip | None
    """The address, where the URL has one in the place of a name."""
    named: bool
    """Whether the list has this address with this port: then it need not be public."""

    @property
    def authority(self) -> str:
        """What the header `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


class AllowList(tuple[Entry, ...]):
    """Hosts as IMAGE_URL_HOSTS has them; an empty list turns image URLs off."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `images.example.org`, `*.example.org`, either with `:PORT`, and IP addresses.

        Without a port an entry stands for 80 and 443.

        Raises:
            ValueError: an entry is none of these.
        """
        entries = (each for each in re.split(r"[,\s]+", text.lower()) if each)
        return cls(_entry(each) for each in entries)

    def target(self, url: str) -> Target:
        """Take a URL apart and check everything that can be checked without asking anybody.

        Raises:
            UrlRefusedError: it is no plain http or https address of an allowed host.
        """
        if not re.fullmatch(r"[!-~]{1,4096}", url) or "\\" in url:
            raise UrlRefusedError("The URL must be ASCII without spaces; write others as %XX.")
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").removesuffix("."), parts.port
        except ValueError:
            raise UrlRefusedError("This is not a URL.") from None
        if parts.scheme not in DEFAULT_PORTS or not host:
            raise UrlRefusedError("The URL must begin with https:// or http:// and name a host.")
        if "@" in parts.netloc:
            raise UrlRefusedError("The URL must not hold a user name or password.")
        port = DEFAULT_PORTS[parts.scheme] if port is None else port
        ip = _ip(host)
        if ip is None and not _NAME.fullmatch(host):
            raise UrlRefusedError("The host of the URL is not a plain name.")
        host = str(ip) if ip else host
        entries = [each for each in self if each.admits(host, port)]
        if not entries:
            raise UrlRefusedError("Images are not fetched from this host and port.")
        return Target(
            scheme=parts.scheme,
            host=host,
            port=port,
            path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            ip=ip,
            named=ip is not None and any(each.port is not None for each in entries),
        )

    def check(self, target: Target, addresses: Sequence[Ip]) -> None:
        """Refuse a target unless each address its name stands for may be connected to.

        One that is not public among several is enough: a name that means two places is no
        mistake of an honest host, or one it should know of.

        A loopback or private address is connected to only where the list has that very address
        and port. A name never leads to one, whoever answers for the name, so nothing has to be
        switched on for tests or for an image server next door, and forgotten.

        Raises:
            UrlRefusedError: one of them may not.
        """
        for address in addresses:
            if not (is_public(address) or (target.named and is_local(address))):
                raise UrlRefusedError("The host of the URL is not at a public address.")


def is_public(address: Ip) -> bool:
    """Whether an address belongs to the public internet, also where it is written in another."""
    if isinstance(address, IPv4Address):
        special = address.is_multicast or address.is_reserved or not address.is_global
        return not special and not any(address in network for network in _NOT_PUBLIC)
    inner = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        inner = IPv4Address(address.packed[-4:])
    if inner:
        return is_public(inner)
    special = address not in _PUBLIC_V6 or not address.is_global or address.is_multicast
    return not special and not any(address in network for network in _NOT_PUBLIC_V6)


def is_local(address: Ip) -> bool:
    """Loopback or private; never link-local, where clouds keep their machines' credentials."""
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address.sixtofour):
        return False
    elsewhere = address.is_link_local or address.is_multicast or address.is_unspecified
    return not elsewhere and (address.is_loopback or address.is_private)


def _entry(text: str) -> Entry:
    found = _ENTRY.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no host; write images.example.org, *.example.org or IP:PORT")
    host, below = found["host"].removesuffix("."), bool(found["any"])
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"{text!r}: a port lies between 1 and 65535")
    ip = _ip(host.strip("[]"))
    if ip and below:
        raise ValueError(f"{text!r}: an address has no subdomains")
    if ip is None and not _NAME.fullmatch(host):
        raise ValueError(f"{text!r} is no host; write images.example.org, *.example.org or IP:PORT")
    if below and "." not in host:
        raise ValueError(f"{text!r} would admit a whole top-level domain")
    return Entry(str(ip) if ip else host, below, port)


def _ip(host: str) -> Ip | None:
    try:
        return None if "%" in host else ip_address(host)
    except ValueError:
        return None
