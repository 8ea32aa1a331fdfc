"""The command beside a figure, as anybody can type it."""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def told(target: str, arguments: Sequence[str], root: Path = ROOT) -> str:
    """`make TARGET ARGS="..."` without the paths of this machine.

    What lies in the repository or beside it is named from the repository; of any other
    absolute path the last part is kept, as in `lines:PATH/hooker`.
    """
    words = shlex.join(_portable(word, root) for word in arguments)
    return f"make {target} ARGS={_quoted(words)}" if words else f"make {target}"


def _portable(word: str, root: Path) -> str:
    found = re.fullmatch(r"([^/]*[:=])?(/.*)", word)
    if not found or "models:/" in word:  # an address in the registry is no path
        return word
    path = Path(found[2])
    near = path.is_relative_to(root.parent)
    shown = os.path.relpath(path, root) if near else f"PATH/{path.name}"
    return f"{found[1] or ''}{shown}"


def _quoted(words: str) -> str:
    return shlex.quote(words) if '"' in words or "$" in words else f'"{words}"'
