"""A Ray of its own process, as a cluster that a test joins by its address."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PROGRAM = """
import ray, sys
from trainer.cluster import started
with started(2, 17 * 10**9):
    print(ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
"""


@contextmanager
def head(environment: dict[str, str]) -> Iterator[str]:
    """Start it with two cores, and stop it at the end: its address."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        address = process.stdout.readline().strip()
        assert address
        yield address
