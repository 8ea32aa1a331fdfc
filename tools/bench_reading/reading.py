"""Every reader on every set, kept as it goes."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from tools.bench_reading.problem import Unavailable
from tools.bench_reading.record import LeftOut, Record, Run
from tools.bench_reading.sets import TestSet


class Reader(Protocol):
    """A version with a decoder, or a peer."""

    @property
    def name(self) -> str: ...

    @property
    def decoder(self) -> str: ...

    @property
    def what(self) -> str: ...

    def read(self, test: TestSet) -> Record:
        """Raises `Unavailable` where it cannot read such a set."""


def read_all(
    run: Run,
    readers: Sequence[Reader],
    tests: Sequence[TestSet],
    file: Path,
    say: Callable[[Record | LeftOut], None],
) -> None:
    """Read set by set with one reader after another; the file is whole after each.

    Args:
        run: takes the readings.
        file: where the run is kept.
        say: told of each record, and of each reader that cannot read a set.
    """
    for reader in readers:
        run.readers[reader.name] = reader.what
    for test in tests:
        for reader in readers:
            try:
                record = reader.read(test)
            except Unavailable as error:
                left = LeftOut(
                    reader=f"{reader.name}, {reader.decoder}", set=test.name, reason=str(error)
                )
                run.left_out.append(left)
                say(left)
            else:
                run.records.append(record)
                say(record)
            run.save(file)


def machine() -> str:
    """Cores, and how busy they are already: speeds mean little without."""
    busy = os.getloadavg()[0]
    return f"on {os.cpu_count()} cores with a load of {busy:.1f} before it began"
