"""Ray: of this machine alone, or the cluster of RAY_ADDRESS."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import recognizer
import trainer

OBJECT_STORE = 256 * 2**20
"""Bytes of memory shared by its processes. Ray would take a third of the machine; names of images
and what is read in them need little, and where they need more, Ray waits."""

# Before Ray is imported: nothing sent to its makers, and of what it has to say, the errors.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class ClusterError(Exception):
    """Ray cannot be started or found; the message is for the user."""


@contextmanager
def cluster(processes: int | None) -> Iterator[int]:
    """Ray, for as long as the context lasts; one that runs in this process already is used.

    Args:
        processes: how many images are to be read at a time; None takes every core there is.

    Returns:
        How many will be.

    Raises:
        ClusterError: no cluster answers at RAY_ADDRESS, or Ray does not start here.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield processes or _cores()
        return
    address = os.environ.get("RAY_ADDRESS")
    packages = [str(Path(package.__path__[0])) for package in (recognizer, trainer)]
    options: dict[str, Any] = {"address": address, "runtime_env": {"py_modules": packages}}
    if not address:
        options = {
            "address": "local",
            "num_cpus": processes,
            "object_store_memory": OBJECT_STORE,
            "include_dashboard": False,
        }
    _start(options)
    try:
        yield processes or _cores()
    finally:
        ray.shutdown()


def _start(options: dict[str, Any]) -> None:
    """Raises `ClusterError`."""
    import ray

    # Ray gives its own processes half a minute, which a busy machine may not do with
    for remaining in (2, 1, 0):
        try:
            with _silent():
                ray.init(logging_level=logging.ERROR, log_to_driver=False, **options)
            return
        except Exception as error:  # it raises nearly any, that very one among them
            ray.shutdown()
            address = os.environ.get("RAY_ADDRESS")
            if address:
                raise ClusterError(f"No Ray at {address} (RAY_ADDRESS): {error}") from error
            if not remaining:
                raise ClusterError(f"Ray does not start: {error}") from error


@contextmanager
def _silent() -> Iterator[None]:
    """No warnings, and no standard error: Ray says there that it was told to be quiet."""
    kept = os.dup(2)
    try:
        with warnings.catch_warnings(), Path(os.devnull).open("wb") as nothing:
            warnings.simplefilter("ignore")
            os.dup2(nothing.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _cores() -> int:
    import ray

    return max(int(ray.cluster_resources().get("CPU", 1)), 1)
