"""The allow-list of hosts, and which addresses are public."""

from ipaddress import ip_address

import pytest

from api.errors import UrlRefusedError
from api.hosts import AllowList, is_local, is_public
from api.settings import Settings

LIST = AllowList.parse(
    "images.example.org, *.example.net scans.example.org:8443 *.example.com:8080,"
    "127.0.0.1:9000 [::1]:9000 203.0.113.7"
)


@pytest.mark.parametrize(
    "url",
    [
        "https://images.example.org/a/line.png?size=full",
        "HTTP://Images.Example.ORG/x",
        "https://images.example.org./x",
        "https://images.example.org:443/x",
        "http://images.example.org:443/x",
        "https://a.example.net",
        "https://a.b.example.net/x#part",
        "https://scans.example.org:8443/x",
        "http://a.example.com:8080/x",
        "http://127.0.0.1:9000/x",
        "http://[::1]:9000/x",
        "http://[0:0:0:0:0:0:0:1]:9000/x",
        "https://203.0.113.7/x",
    ],
)
def test_an_allowed_url(url: str) -> None:
    assert LIST.target(url).path.startswith("/")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://example.org/x", "not fetched from this host"),
        ("https://example.net/x", "not fetched from this host"),
        ("https://badexample.net/x", "not fetched from this host"),
        ("https://images.example.org.evil.com/x", "not fetched from this host"),
        ("https://images.example.org:8080/x", "not fetched from this host and port"),
        ("https://images.example.org:22/x", "not fetched from this host and port"),
        ("https://images.example.org:0/x", "not fetched from this host and port"),
        ("https://scans.example.org/x", "not fetched from this host and port"),
        ("http://127.0.0.1/x", "not fetched from this host and port"),
        ("http://127.0.0.1:9001/x", "not fetched from this host and port"),
        ("http://2130706433:9000/x", "not fetched from this host"),
        ("http://0x7f.0.0.1:9000/x", "not fetched from this host"),
        ("http://127.1:9000/x", "not fetched from this host"),
        ("http://[::ffff:127.0.0.1]:9000/x", "not fetched from this host"),
        ("https://user@images.example.org/x", "user name"),
        ("https://user:secret@images.example.org/x", "user name"),
        ("https://images.example.org@evil.com/x", "user name"),
        ("https://evil.com#@images.example.org/x", "not fetched from this host"),
        ("https://evil.com\\@images.example.org/x", "ASCII"),
        ("https://images.example.org/a b", "ASCII"),
        ("https://images.example.org/\r\nHost: evil.com", "ASCII"),
        ("https://images.example.org/\x00", "ASCII"),
        ("https://images.example.org/é", "ASCII"),
        ("https://images\u3002example\u3002org/", "ASCII"),
        ("https://images.example.org/" + "x" * 4096, "ASCII"),
        ("file:///etc/passwd", "https://"),
        ("ftp://images.example.org/x", "https://"),
        ("gopher://images.example.org/x", "https://"),
        ("data:image/png;base64,aGk=", "https://"),
        ("//images.example.org/x", "https://"),
        ("images.example.org/x", "https://"),
        ("https:///x", "https://"),
        ("https://[::1/x", "not a URL"),
        ("https://[v1.x]/x", "not fetched"),
        ("https://images.example.org:port/x", "not a URL"),
        ("https://images.example.org:99999/x", "not a URL"),
        ("https://im%61ges.example.org/x", "not a plain name"),
        ("https://[fe80::1%25eth0]/x", "not a plain name"),
        ("https://.example.net/x", "not a plain name"),
        ("", "ASCII"),
    ],
)
def test_a_refused_url(url: str, says: str) -> None:
    with pytest.raises(UrlRefusedError, match=says) as raised:
        LIST.target(url)
    assert "secret" not in str(raised.value)


def test_the_parts_of_a_url() -> None:
    target = LIST.target("https://Images.example.org/a%20b?x=1&y=//#top")
    assert (target.scheme, target.host, target.port) == ("https", "images.example.org", 443)
    assert (target.path, target.authority) == ("/a%20b?x=1&y=//", "images.example.org")
    assert LIST.target("http://[::1]:9000").authority == "[::1]:9000"
    assert LIST.target("http://images.example.org:443").authority == "images.example.org:443"


NOT_PUBLIC = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.8.9.10 168.63.129.16 169.254.0.1
169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 192.168.1.1
198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0.0.0.0
64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::808:808 100::1 2001::1 2001:0:1::1
2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:a00:1:: 2002:a9fe:a9fe:: 3fff::1 4000::1
5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 ff0e::1 fe80::1%2
""".split()


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    "1.1.1.1 93.184.215.14 172.32.0.1 2606:4700::1111 2a00:1450::1 ::ffff:1.1.1.1 "
    "64:ff9b::101:101 2002:101:101::".split(),
)
def test_a_public_address(address: str) -> None:
    assert is_public(ip_address(address))


def test_what_may_be_named_although_it_is_not_public() -> None:
    for local in ("127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fd00::1"):
        assert is_local(ip_address(local))
    for never in ("169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1"):
        assert not is_local(ip_address(never))
    for hidden in ("::ffff:127.0.0.1", "2002:7f00:1::"):
        assert not is_local(ip_address(hidden))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("*", "is no host"),
        ("*.org", "top-level"),
        ("https://images.example.org", "is no host"),
        ("images.example.org/x", "is no host"),
        ("images.example.org:0", "port"),
        ("images.example.org:70000", "port"),
        ("*.127.0.0.1:80", "no subdomains"),
        ("a..b", "is no host"),
        ("user@images.example.org", "is no host"),
        ("[::1", "is no host"),
        ("images.*.org", "is no host"),
    ],
)
def test_a_wrong_list_is_pointed_out(
    value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGE_URL_HOSTS", value)
    with pytest.raises(ValueError, match=says):
        Settings()


def test_an_empty_list_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for empty in ("", " , "):
        monkeypatch.setenv("IMAGE_URL_HOSTS", empty)
        assert not Settings().image_url_hosts
