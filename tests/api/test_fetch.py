"""Fetching: from the address that was checked and no other, refused before a byte is sent."""

import itertools
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from api.errors import (
    FetchError,
    HostDownError,
    HostSlowError,
    TooManyBytesError,
    UrlRefusedError,
)
from api.fetch import Fetcher
from api.hosts import AllowList, Ip
from bundles import bars
from web import PUBLIC, Network, Web, certificate, ok, slowly

HOST = "images.example.org"
MAX_BYTES = 100_000


class Names:
    """A resolver that gives one answer after the other, the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[Ip]:
        answer = self._answers[min(len(self.asked), len(self._answers) - 1)]
        self.asked.append((host, port))
        return [ip_address(each) for each in answer]


@pytest.fixture
def web() -> Iterator[Web]:
    with Web(ok(bars("aa"))) as web:
        yield web


def fetcher(network: Network, names: Names, *, hosts: str = HOST, seconds: float = 5) -> Fetcher:
    return Fetcher(
        AllowList.parse(hosts),
        max_bytes=MAX_BYTES,
        seconds=seconds,
        resolve=names,
        network=network,
    )


# --- which address is connected to --------------------------------------------------------


async def test_the_address_that_was_checked_is_the_one_connected_to(web: Web) -> None:
    network, names = Network(web.port), Names([PUBLIC])
    assert await fetcher(network, names).fetch(f"http://{HOST}/a.png?x=1") == bars("aa")
    assert names.asked == [(HOST, 80)]
    assert network.asked == [(PUBLIC, 80)]
    assert web.requests[0].startswith(b"GET /a.png?x=1 HTTP/1.1\r\n")
    assert f"\r\nHost: {HOST}\r\n".encode() in web.requests[0]


async def test_a_name_that_changes_its_address_meanwhile_gains_nothing(web: Web) -> None:
    """DNS rebinding: public when it is checked, loopback when it is asked again."""
    network, names = Network(web.port), Names([PUBLIC], ["127.0.0.1"])
    await fetcher(network, names).fetch(f"http://{HOST}/")
    assert len(names.asked) == 1
    assert network.asked == [(PUBLIC, 80)]
    with pytest.raises(UrlRefusedError, match="not at a public address"):
        await fetcher(network, names).fetch(f"http://{HOST}/")
    assert network.asked == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["192.168.0.1"],
        ["169.254.169.254"],
        ["100.64.0.1"],
        ["0.0.0.0"],
        ["224.0.0.1"],
        ["::1"],
        ["fe80::1"],
        ["fd00::1"],
        ["::ffff:127.0.0.1"],
        ["::ffff:169.254.169.254"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_that_leads_inside_is_refused_before_a_byte_is_sent(
    web: Web, addresses: list[str], scheme: str
) -> None:
    network, names = Network(web.port), Names(addresses)
    with pytest.raises(UrlRefusedError) as raised:
        await fetcher(network, names).fetch(f"{scheme}://{HOST}/")
    assert network.asked == []
    assert web.connections == 0
    assert not any(each in str(raised.value) for each in addresses)


@pytest.mark.parametrize("hosts", ["127.0.0.1", f"{HOST}:9000", "169.254.169.254:80"])
async def test_only_an_address_with_its_port_may_be_local(web: Web, hosts: str) -> None:
    """Neither an address without a port, nor a name with one; link-local never."""
    url = {"127.0.0.1": "http://127.0.0.1/", "169.254.169.254:80": "http://169.254.169.254/"}
    network = Network(web.port)
    with pytest.raises(UrlRefusedError, match="not at a public address"):
        await fetcher(network, Names(["127.0.0.1"]), hosts=hosts).fetch(
            url.get(hosts, f"http://{HOST}:9000/")
        )
    assert network.asked == []


async def test_another_address_is_tried_where_one_is_dead(web: Web) -> None:
    network, names = Network(web.port), Names(["93.184.215.99", PUBLIC])
    assert await fetcher(network, names).fetch(f"http://{HOST}/") == bars("aa")
    assert network.asked == [("93.184.215.99", 80), (PUBLIC, 80)]


async def test_no_proxy_is_used(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with Web(ok(b"proxy")) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await fetcher(Network(web.port), Names([PUBLIC])).fetch(f"http://{HOST}/")
    assert proxy.connections == 0


async def test_the_certificate_must_be_that_of_the_host(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, HOST)
    with Web(ok(bars("aa")), tls=server) as web:

        def fetch(hosts: str) -> Fetcher:
            return Fetcher(
                AllowList.parse(hosts),
                max_bytes=MAX_BYTES,
                seconds=5,
                resolve=Names([PUBLIC]),
                network=Network(web.port),
                tls=client,
            )

        assert await fetch(HOST).fetch(f"https://{HOST}/") == bars("aa")
        assert web.names == [HOST]
        assert f"\r\nHost: {HOST}\r\n".encode() in web.requests[0]
        with pytest.raises(HostDownError, match="certificate"):
            await fetch("other.example.org").fetch("https://other.example.org/")
        with pytest.raises(HostDownError, match="certificate"):  # signed by itself
            await fetcher(Network(web.port), Names([PUBLIC])).fetch(f"https://{HOST}/")
    assert len(web.requests) == 1


# --- what the server answers --------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(web: Web, status: int) -> None:
    away = f"HTTP/1.1 {status} Away\r\nLocation: http://127.0.0.1:{web.port}/\r\n\r\n".encode()
    with Web(away) as redirecting:
        network = Network(redirecting.port)
        with pytest.raises(FetchError, match="redirect") as raised:
            await fetcher(network, Names([PUBLIC])).fetch(f"http://{HOST}/")
    assert network.asked == [(PUBLIC, 80)]
    assert web.connections == 0
    assert "127.0.0.1" not in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "says", "kind"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answers 404", FetchError),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 6\r\n\r\nsecret", "answers 500", HostDownError),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "answers 204", FetchError),
        (ok(b"x", "Content-Encoding: gzip"), "packs", FetchError),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "broke off", HostDownError),
        (b"", "broke off", HostDownError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "broke off", HostDownError),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000, "broke off", HostDownError),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "broke off",
            HostDownError,
        ),
    ],
)
async def test_an_answer_that_is_no_image(answer: bytes, says: str, kind: type[FetchError]) -> None:
    with Web(answer) as web, pytest.raises(FetchError, match=says) as raised:
        await fetcher(Network(web.port), Names([PUBLIC])).fetch(f"http://{HOST}/")
    assert raised.type is kind
    assert "secret" not in str(raised.value)


async def test_a_length_above_the_limit_is_enough() -> None:
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_BYTES + 1}\r\n\r\n".encode()
    with Web(answer) as web, pytest.raises(TooManyBytesError, match="at most 100000"):
        await fetcher(Network(web.port), Names([PUBLIC])).fetch(f"http://{HOST}/")


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", bytes(8000)),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1f40\r\n" + bytes(8000) + b"\r\n",
        ),
    ],
    ids=["until it ends", "in chunks"],
)
async def test_an_endless_answer_is_left(head: bytes, part: bytes) -> None:
    endless = itertools.chain([head], itertools.repeat(part))
    with Web(endless) as web, pytest.raises(TooManyBytesError):
        await fetcher(Network(web.port), Names([PUBLIC])).fetch(f"http://{HOST}/")


async def test_a_slow_answer_is_left_after_the_time_for_the_whole() -> None:
    """Each byte comes in time; all of them do not."""
    with Web(slowly()) as web:
        started = time.monotonic()
        with pytest.raises(HostSlowError, match=r"within 0\.5 seconds"):
            await fetcher(Network(web.port), Names([PUBLIC]), seconds=0.5).fetch(f"http://{HOST}/")
    assert time.monotonic() - started < 3


async def test_a_name_that_nobody_knows(web: Web) -> None:
    network = Network(web.port)
    with pytest.raises(HostDownError, match="not known"):
        await fetcher(network, Names([])).fetch(f"http://{HOST}/")
    own = Fetcher(AllowList.parse("*.invalid.example"), max_bytes=9, seconds=5)
    with pytest.raises(FetchError, match=r"not known|within 5 seconds"):
        await own.fetch("http://nobody.invalid.example/")


async def test_the_machine_knows_itself_and_is_refused(web: Web) -> None:
    """The resolver in use, not a stand-in."""
    own = Fetcher(AllowList.parse(f"localhost:{web.port}"), max_bytes=MAX_BYTES, seconds=5)
    with pytest.raises(UrlRefusedError, match="not at a public address"):
        await own.fetch(f"http://localhost:{web.port}/")
    assert web.connections == 0
