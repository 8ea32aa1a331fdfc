"""Ray, embedded in this process or the cluster of `RAY_ADDRESS`, and what a run may have of it.

Imported where Ray is installed: by `splits` and `sweep` alone.
"""

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from tenacity import retry, retry_if_exception_message, stop_after_attempt

from trainer.trial import Share

OWN = 10**9
"""Bytes for Ray's own processes and the command, where a limit is given (about 0.8 GB seen)."""

OBJECTS = 80 * 2**20  # bytes of Ray's store, the least it takes: runs share nothing through it


class ResourceError(Exception):
    """There is not what the runs need; the message says what is missing."""


@contextmanager
def started(cpus: int | None, memory: int | None) -> Iterator[None]:
    """Ray, embedded in this process; or the cluster where `RAY_ADDRESS` names one.

    Args:
        cpus, memory: what all runs together and this command may take; None is what there is.

    Raises:
        ResourceError: less memory than Ray itself needs, or no such cluster.
    """
    if memory is not None and memory <= OWN:
        raise ResourceError(
            f"--memory: Ray and the command themselves take {OWN / 1e9:g} GB of it."
        )
    address = os.environ.get("RAY_ADDRESS")
    if address and (cpus or memory):
        raise ResourceError(
            f"--cpus and --memory are for this machine; the nodes at {address} have theirs."
        )
    try:
        if address:
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        else:
            _embedded(cpus, memory)
    except ConnectionError as error:
        raise ResourceError(
            f"There is no Ray at {address} (RAY_ADDRESS), or it wants a token: RAY_AUTH_MODE=token "
            "and ~/.ray/auth_token as its nodes have it."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@retry(
    # it gives itself 30 seconds, which a busy machine may need twice
    retry=retry_if_exception_message(match=".*timed out during startup"),
    stop=stop_after_attempt(3),
    before_sleep=lambda _: ray.shutdown(),
    reraise=True,
)
def _embedded(cpus: int | None, memory: int | None) -> None:
    ray.init(
        address="local",
        num_cpus=cpus,
        _memory=None if memory is None else memory - OWN,
        object_store_memory=OBJECTS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )


def share(runs: int, memory: int, *, cpus: float | None = None, gpus: float = 0.0) -> Share:
    """What each of so many runs gets.

    Where no cores are asked for they are divided so that all stay busy to the end: with three
    runs on two cores all three go side by side, with ten always two.

    Raises:
        ResourceError: not even one run fits.
    """
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    cores, whole = there.get("CPU", 0.0), there.get("memory", 0.0)
    rounds = max(1, runs // max(1, int(cores)))
    at_once = min(math.ceil(runs / rounds), int(whole / memory))
    if at_once < 1 or (cpus or 0) > cores or gpus > there.get("GPU", 0.0):
        raise ResourceError(
            f"There are {cores:g} cores, {whole / 1e9:.1f} GB of memory and "
            f"{there.get('GPU', 0.0):g} GPUs for runs: not enough for one with "
            f"{memory / 1e9:g} GB (--memory-per-run), {cpus or 'any'} cores (--cpus-per-run) and "
            f"{gpus:g} GPUs (--gpus-per-run)."
        )
    # Ray counts in ten-thousandths
    return Share(cpus or math.floor(1e4 * cores / at_once) / 1e4, memory, gpus)
