"""Ray: embedded in this process, or the cluster of `RAY_ADDRESS`; and what a run may have of it."""

import logging
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import recognizer
import trainer
from trainer.trial import Share

OWN = 10**9
"""Bytes for Ray's own processes and the command, where a limit is given (about 0.8 GB seen)."""

OBJECTS = 80 * 2**20
"""Bytes of its store, the least it takes: runs share nothing through it."""

ATTEMPTS = 3
"""Ray gives its own processes half a minute to start, which a busy machine may not do with."""

# Before Ray is imported: nothing sent to its makers, and of what it has to say, the errors.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class ClusterError(Exception):
    """Ray cannot be started or found, or has not what is needed; the message is for the user."""


@contextmanager
def started(
    cpus: int | None = None,
    memory: int | None = None,
    *,
    objects: int = OBJECTS,
    carried: bool = False,
) -> Iterator[None]:
    """Ray, for as long as the context lasts; one that runs in this process already is used.

    Args:
        cpus, memory: what all work together and this command may take; None is what there is.
        objects: bytes of Ray's store, which its processes share. Of itself it would take a third
            of the machine.
        carried: whether a cluster gets this code, so that its nodes need the libraries alone.

    Raises:
        ClusterError: less memory than Ray itself needs, no such cluster, or Ray does not start.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    if memory is not None and memory <= OWN:
        raise ClusterError(f"--memory: Ray and the command themselves take {OWN / 1e9:g} GB of it.")
    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS")
    options: dict[str, Any] = {"address": address}
    if not address:
        options = {
            "address": "local",
            "num_cpus": cpus,
            "_memory": None if memory is None else memory - OWN,
            "object_store_memory": objects,
            "include_dashboard": False,
        }
    elif memory:
        raise ClusterError(f"--memory is for this machine; the nodes at {address} have theirs.")
    elif carried:
        packages = [str(Path(package.__path__[0])) for package in (recognizer, trainer)]
        options["runtime_env"] = {"py_modules": packages}
    _start(options, address)
    try:
        yield
    finally:
        ray.shutdown()


def _start(options: dict[str, Any], address: str | None) -> None:
    """Raises `ClusterError`."""
    import ray

    for remaining in reversed(range(ATTEMPTS)):
        try:
            with _silent():
                ray.init(logging_level=logging.ERROR, log_to_driver=False, **options)
            return
        except Exception as error:  # it raises nearly any
            ray.shutdown()
            if address:
                raise ClusterError(
                    f"There is no Ray at {address} (RAY_ADDRESS), or it wants a token: "
                    "RAY_AUTH_MODE=token and ~/.ray/auth_token as its nodes have it."
                ) from error
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


def cores() -> int:
    """Of all nodes, at least one."""
    import ray

    return max(int(ray.cluster_resources().get("CPU", 1)), 1)


def share(runs: int, memory: int, *, cpus: float | None = None, gpus: float = 0.0) -> Share:
    """What each of so many runs gets.

    Where no cores are asked for they are divided so that all stay busy to the end: with three
    runs on two cores all three go side by side, with ten always two.

    Raises:
        ClusterError: not even one run fits.
    """
    import ray

    # a run fits into one node or nowhere
    nodes: list[dict[str, float]] = [each["Resources"] for each in ray.nodes() if each["Alive"]]
    total = sum(node.get("CPU", 0.0) for node in nodes)
    whole = sum(node.get("memory", 0.0) for node in nodes)
    largest = max(node.get("CPU", 0.0) for node in nodes)
    most_gpus = max(node.get("GPU", 0.0) for node in nodes)
    slots = sum(int(node.get("memory", 0.0) / memory) for node in nodes)
    rounds = max(1, runs // max(1, int(total)))
    at_once = min(math.ceil(runs / rounds), slots)
    if at_once < 1 or (cpus or 0) > largest or gpus > most_gpus:
        raise ClusterError(
            f"There are {total:g} cores, {whole / 1e9:.1f} GB of memory and {most_gpus:g} GPUs "
            f"for runs, at most {largest:g} cores on a node: not enough for one with "
            f"{memory / 1e9:g} GB (--memory-per-run), {cpus or 'any'} cores (--cpus-per-run) and "
            f"{gpus:g} GPUs (--gpus-per-run)."
        )
    # Ray counts in ten-thousandths
    return Share(cpus or min(largest, math.floor(1e4 * total / at_once) / 1e4), memory, gpus)
