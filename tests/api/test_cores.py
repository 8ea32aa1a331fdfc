"""Cores are counted by what the system lets this process use."""

import os
from pathlib import Path

import pytest

from api import cores as counting
from api.cores import cores


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a machine with 64 cores; this process is in the group /pod/container."""
    own = tmp_path / "own"
    own.write_text("4:cpu,cpuacct:/pod/container\n0::/pod/container\n")
    monkeypatch.setattr(counting, "OWN", own)
    monkeypatch.setattr(counting, "GROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    return tmp_path


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("9900000 100000\n", 64),
        ("max 100000\n", 64),
        ("0 0\n", 64),
        ("", 64),
        ("odd", 64),
        ("a b c", 64),
    ],
)
def test_a_quota_of_the_container_counts(groups: Path, quota: str, expected: int) -> None:
    write(groups, cpu__max=quota)
    assert cores() == expected


def test_the_smallest_quota_around_this_process_counts(groups: Path) -> None:
    write(groups / "pod", cpu__max="300000 100000\n")
    write(groups / "pod" / "container", cpu__max="max 100000\n")
    write(groups / "other", cpu__max="100000 100000\n")
    assert cores() == 3


@pytest.mark.parametrize(("quota", "expected"), [("200000\n", 2), ("-1\n", 64)])
def test_so_does_one_of_the_older_version(groups: Path, quota: str, expected: int) -> None:
    write(groups / "cpu", cpu__cfs_quota_us=quota, cpu__cfs_period_us="100000\n")
    assert cores() == expected


def test_without_quotas_all_cores_count(groups: Path) -> None:
    (groups / "own").unlink()
    assert cores() == 64
