"""How many cores a process may keep busy, where several share a machine."""

import os
import re
from contextlib import suppress
from pathlib import Path

LIMIT = "OMP_NUM_THREADS"


def limited() -> int:
    """Threads that one computation may take, as `OMP_NUM_THREADS` says; 0 where it says nothing."""
    said = os.environ.get(LIMIT, "")
    return int(said) if said.isdecimal() else 0


def flags(described: Path = Path("/proc/cpuinfo")) -> set[str]:
    """What the processor has, in the words of Linux; nothing where it does not tell."""
    with suppress(OSError):
        told = re.search(
            r"^(?:flags|Features)\s*:(.*)$", described.read_text("utf-8"), re.MULTILINE
        )
        return set(told[1].split()) if told else set()
    return set()


def computes_bfloat16(described: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has instructions for bfloat16; True where it does not tell."""
    known = flags(described)
    return not known or bool(known & {"amx_bf16", "avx512_bf16", "bf16"})


def limits(cores: int) -> dict[str, str]:
    """The environment of a process that is to keep no more cores busy than these."""
    names = (LIMIT, "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return dict.fromkeys(names, str(cores))
