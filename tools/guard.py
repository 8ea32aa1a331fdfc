"""Ends the process groups of a parent that died without cleaning up (SIGKILL, out of memory).

Reads `+PGID` and `-PGID` lines from standard input, whose other end the parent alone holds.
When that closes, whatever is still listed gets SIGTERM, then SIGKILL. A pipe works on every
Unix and covers grandchildren; Linux's PR_SET_PDEATHSIG reaches the direct child only.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE_SECONDS = 5.0


def signal_group(group: int, number: int) -> bool:
    """Send a signal (0 only asks) to a process group; False when the group is empty."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says this of a group of zombies
        return False
    return True


def listed(lines: Iterable[str]) -> set[int]:
    """The groups added and not taken back when the lines end."""
    groups: set[int] = set()
    for line in lines:
        if line.startswith("+"):
            groups.add(int(line[1:]))
        else:
            groups.discard(int(line[1:]))
    return groups


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups = listed(sys.stdin)
    for group in groups:
        signal_group(group, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while groups and time.monotonic() < deadline:
        groups = {group for group in groups if signal_group(group, 0)}
        time.sleep(0.1)
    for group in groups:
        signal_group(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
