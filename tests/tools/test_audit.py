"""The audit of dependencies, with pip-audit and an advisory service on this machine."""

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from servers import free_port
from tools.audit import IGNORED, REQUIREMENTS, Ignore, audit, read_ignores

TODAY = date(2026, 11, 21)
ADVISORY = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "aliases": ["CVE-2026-12345"],
    "summary": "Reads what it should not.",
    "published": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "pillow", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


class Advisories(BaseHTTPRequestHandler):
    """Knows one vulnerability of pillow, in the form of osv.dev."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked: dict[str, Any] = json.loads(body)
        vulnerable = asked["package"]["name"] == "pillow" and asked["version"] == "13.0.0"
        answer = json.dumps({"vulns": [ADVISORY]} if vulnerable else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[str, ...]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield ("osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query")
    server.shutdown()
    server.server_close()


@pytest.fixture
def silent() -> tuple[str, ...]:
    return ("osv", "--osv-url", f"http://127.0.0.1:{free_port()}/v1/query")


def pins(folder: Path, *lines: str) -> list[Path]:
    file = folder / "requirements.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [file]


def ignored(until: date, advisory: str = "CVE-2026-12345") -> list[Ignore]:
    return [Ignore(id=advisory, reason="Only its PSD reader is affected.", until=until)]


def test_a_vulnerability_fails(
    service: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = pins(tmp_path, "pillow==13.0.0", "numpy==2.4.6")
    assert audit(files, [], [service], TODAY) == 1
    said = capsys.readouterr().out
    assert "Vulnerable: pillow 13.0.0: " in said
    assert "GHSA-aaaa-bbbb-cccc" in said
    assert said.splitlines()[0].endswith("; fixed in 99.0")
    assert "numpy" not in said


def test_nothing_found_passes(
    service: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(pins(tmp_path, "pillow==99.0"), [], [service], TODAY) == 0
    assert capsys.readouterr().out.startswith("No known vulnerabilities")


def test_an_advisory_is_ignored_until_its_day(
    service: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = pins(tmp_path, "pillow==13.0.0")
    assert audit(files, ignored(date(2026, 11, 22)), [service], TODAY) == 0
    assert "1 ignored" in capsys.readouterr().out
    assert audit(files, ignored(TODAY), [service], TODAY) == 1
    assert "ignored until 2026-11-21" in capsys.readouterr().out


def test_what_is_ignored_for_nothing_is_said(
    service: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = ignored(date(2027, 1, 1), "GHSA-gone-gone-gone")
    assert audit(pins(tmp_path, "pillow==99.0"), left, [service], TODAY) == 0
    assert "GHSA-gone-gone-gone, which nothing has any more" in capsys.readouterr().out


def test_without_an_advisory_service_one_line_says_so(
    silent: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(pins(tmp_path, "pillow==13.0.0"), [], [silent], TODAY) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Dependencies not audited, no advisory service answers (osv: ")


def test_the_next_service_is_asked_where_one_is_silent(
    silent: tuple[str, ...], service: tuple[str, ...], tmp_path: Path
) -> None:
    assert audit(pins(tmp_path, "pillow==13.0.0"), [], [silent, service], TODAY) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[ignore]]\nid = "GHSA-1"\nuntil = 2027-01-01\n', "ignore.0.reason"),
        ('[[ignore]]\nid = "GHSA-1"\nreason = "Not reached: no such file is read."\n', "until"),
        ('[[ignore]]\nid = "GHSA-1"\nreason = "no"\nuntil = 2027-01-01\n', "20 characters"),
        ('[[ignore]]\nid = "GHSA-1"\nreason = "Not reached from here."\nuntil = "soon"\n', "date"),
        ("[[ignore]", "audit.toml"),
    ],
)
def test_an_entry_needs_a_reason_and_a_day(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "audit.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        read_ignores(file)


def test_the_files_of_this_project_can_be_audited(service: tuple[str, ...]) -> None:
    """Each lock is one that pip-audit reads; what it finds is for `make lint` to say."""
    assert all(file.is_file() for file in REQUIREMENTS)
    assert audit(REQUIREMENTS[:1], read_ignores(IGNORED), [service], TODAY) == 1
