"""How many cores this process may keep busy."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

GROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def cores() -> int:
    """Those that it may run on, or fewer, where its group of processes has a quota of their time.

    A container that may use 2 of 64 cores runs on all of them, and is stopped for most of each
    tenth of a second where it has threads for them all.
    """
    usable = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return max(1, min([usable, *map(math.ceil, _quotas())]))


def _quotas() -> Iterator[float]:
    """In cores, of the groups that this process is in and of those around them."""
    for folder in _folders():
        try:
            quota, period = (folder / "cpu.max").read_text("utf-8").split()
        except (OSError, ValueError):
            try:  # the older version of cgroups
                quota = (folder / "cpu.cfs_quota_us").read_text("utf-8")
                period = (folder / "cpu.cfs_period_us").read_text("utf-8")
            except (OSError, ValueError):
                continue
        if quota.strip().isdigit() and period.strip().isdigit() and int(period):
            yield int(quota) / int(period)


def _folders() -> Iterator[Path]:
    """A container sees its own group as the root; else it is as deep as its path says."""
    try:
        lines = OWN.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    own = {PurePosixPath("/"), *(PurePosixPath(line.split(":", 2)[-1]) for line in lines)}
    around = {each for path in own for each in (path, *path.parents)}
    for root in (GROUPS, GROUPS / "cpu"):
        for path in around:
            yield root / path.relative_to(path.anchor)
