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


def computes_bfloat16(described: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has instructions for bfloat16; True where it does not tell."""
    with suppress(OSError):
        told = described.read_text("utf-8")
        flags = r"^(flags|Features)\s*:.*\b(amx_bf16|avx512_bf16|bf16)\b"
        return re.search(flags, told, re.MULTILINE) is not None
    return True


def limits(cores: int) -> dict[str, str]:
    """The environment of a process that is to keep no more cores busy than these."""
    names = (LIMIT, "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return dict.fromkeys(names, str(cores))
