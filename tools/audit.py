"""`python -m tools.audit`: known vulnerabilities among the pinned requirements of the services.

Asks pip-audit. Where no advisory service answers it says so and passes: a lint that needs the
internet would fail on trains. A vulnerability that `audit.toml` does not list fails it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

ROOT = Path(__file__).resolve().parents[1]
IGNORED = ROOT / "tools" / "audit.toml"
REQUIREMENTS = tuple(
    ROOT / "services" / name / "requirements.txt" for name in ("api", "trainer", "tracking")
)

SERVICES: tuple[tuple[str, ...], ...] = (("pypi",), ("osv",))
"""Where advisories are asked for, one after the other until one answers."""

SECONDS_A_REQUEST = 10
SECONDS = 600


class Ignore(BaseModel):
    """One advisory that is passed over, why, and until when."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(min_length=5)
    reason: str = Field(min_length=20)
    until: date


class Ignores(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ignore: list[Ignore] = []


@dataclass(frozen=True)
class Finding:
    """One advisory about one pinned package."""

    package: str
    version: str
    ids: tuple[str, ...]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        fixed = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no fix is out yet"
        return f"{self.package} {self.version}: {', '.join(self.ids)}; {fixed}"


class UnreachableError(Exception):
    """No advisory service answered."""


def read_ignores(file: Path) -> list[Ignore]:
    """The list of what is passed over. Raises `ValueError` where an entry is not whole."""
    try:
        return Ignores.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).ignore
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file.name}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in first["loc"])
        raise ValueError(f"{file.name}: {where}: {first['msg']}") from None


def ask(files: Sequence[Path], service: Sequence[str]) -> tuple[list[Finding], list[str]]:
    """What is known of the packages pinned in the files, and the packages nothing is known of.

    Raises:
        UnreachableError: the service does not answer, or knows none of them.
    """
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--no-deps", "--disable-pip"]
    command += ["--progress-spinner", "off", "--timeout", str(SECONDS_A_REQUEST), "-s", *service]
    for file in files:
        command += ["--requirement", str(file)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"no answer within {SECONDS} s") from None
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or [f"pip-audit ended with {done.returncode}"])[-1]
        # a traceback's last line: the name of the error says enough, addresses and all do not
        raise UnreachableError(last.partition(":")[0].rpartition(".")[2][:80]) from None
    skipped = [each["name"] for each in found if "skip_reason" in each]
    if len(skipped) == len(found):  # an index without advisories answers like this
        raise UnreachableError("it knows none of the packages")
    return [finding for each in found for finding in _findings(each)], skipped


def _findings(package: dict[str, Any]) -> Iterable[Finding]:
    for advisory in package.get("vulns", []):
        yield Finding(
            package["name"],
            package["version"],
            (advisory["id"], *advisory["aliases"]),
            tuple(advisory["fix_versions"]),
        )


def audit(
    files: Sequence[Path],
    ignores: Sequence[Ignore],
    services: Sequence[Sequence[str]],
    today: date,
) -> int:
    """Print what is found; 1 where something must be done about it, else 0."""
    reasons = []
    for service in services:
        try:
            findings, skipped = ask(files, service)
        except UnreachableError as error:
            reasons.append(f"{service[0]}: {error}")
        else:
            return _report(findings, skipped, ignores, today)
    print(f"Dependencies not audited, no advisory service answers ({'; '.join(reasons)}).")
    return 0


def _report(
    findings: Sequence[Finding], skipped: Sequence[str], ignores: Sequence[Ignore], today: date
) -> int:
    used, failed = set(), 0
    for finding in findings:
        ignore = next((each for each in ignores if each.id in finding.ids), None)
        if ignore is None:
            failed += 1
            print(f"Vulnerable: {finding}")
        elif ignore.until <= today:
            failed += 1
            print(f"Vulnerable, ignored until {ignore.until}: {finding}")
        else:
            used.add(ignore.id)
    for each in ignores:
        if each.id not in used and each.until > today:
            print(f"{IGNORED.name} lists {each.id}, which nothing has any more: remove it.")
    if skipped:
        print(f"Not audited, unknown to the advisory service: {', '.join(sorted(skipped))}.")
    if failed:
        print(
            f"{failed} known vulnerabilities: raise the pins (make lock ARGS=--upgrade), or list "
            f"them in tools/{IGNORED.name}."
        )
    else:
        print(f"No known vulnerabilities among the dependencies; {len(used)} ignored.")
    return min(failed, 1)


def main() -> int:
    try:
        ignores = read_ignores(IGNORED)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return audit(REQUIREMENTS, ignores, SERVICES, date.today())


if __name__ == "__main__":
    raise SystemExit(main())
