"""Numbers in files: what they need of the disk is taken before they are written."""

import errno
import os
import sys
from pathlib import Path

import pytest

from api import mapped
from api.mapped import AllocatedDict

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked")


def allocated(file: Path) -> bool:
    found = file.stat()
    return found.st_blocks * 512 >= found.st_size > 0


def test_a_file_of_numbers_has_room_for_all_that_it_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "BYTES", 1 << 12)
    file = tmp_path / "counter_0.db"
    numbers = AllocatedDict(str(file))
    assert allocated(file)
    for number in range(500):  # it grows, more than once
        numbers.write_value(f"a number with a name of its own, {number}", float(number), 0.0)
        assert allocated(file)
    assert file.stat().st_size == 1 << 15
    numbers.close()

    successor = AllocatedDict(str(file))
    assert [value for _, value, _ in successor.read_all_values()] == list(range(500))
    successor.close()


def test_a_full_disk_is_an_error_and_no_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "BYTES", 1 << 12)
    numbers = AllocatedDict(str(tmp_path / "counter_0.db"))
    numbers.write_value("before", 1.0, 0.0)

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        numbers.write_value("x" * (1 << 12), 1.0, 0.0)
    numbers.write_value("before", 2.0, 0.0)
    assert [value for _, value, _ in numbers.read_all_values()] == [2.0]
    numbers.close()
