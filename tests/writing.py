"""A process that saves corrections, one after the other, until it is killed."""

import hashlib
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from corrections.record import Correction
from corrections.store import Store


def write(folder: Path, seed: int, told: Connection) -> None:
    """Tell of each that is acknowledged, by its id."""
    store = Store(str(folder))
    told.send("ready")
    for number in count():
        text = hashlib.sha256(f"{seed} {number}".encode()).hexdigest()[:40]
        line = {"box": (0, 0, 40, 20), "reading": "", "text": text}
        correction = Correction.model_validate({"lines": [line], "level": "line"})
        told.send(store.save(text.encode() * 5000, correction).record.id)
