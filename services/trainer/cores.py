"""How many cores a process may keep busy, where several share a machine."""

import os

LIMIT = "OMP_NUM_THREADS"


def limited() -> int:
    """Threads that one computation may take, as `OMP_NUM_THREADS` says; 0 where it says nothing."""
    said = os.environ.get(LIMIT, "")
    return int(said) if said.isdecimal() else 0


def limits(cores: int) -> dict[str, str]:
    """The environment of a process that is to keep no more cores busy than these."""
    names = (LIMIT, "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return dict.fromkeys(names, str(cores))
