"""What the process keeps of versions that it served before."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CHANGES = """
import sys, threading
from pathlib import Path
import psutil
from api import memory
from api.serving import open_bundle

memory.give_back()
served, resident = [], []

def change():
    # in a thread, as the watcher does: that has its memory from another arena
    served[:] = [open_bundle(Path(sys.argv[1]), threads=1, alone_threads=2)]

for _ in range(7):
    thread = threading.Thread(target=change)
    thread.start()
    thread.join()
    memory.trim()
    resident.append(psutil.Process().memory_info().rss)
print(resident[-1] / resident[1])  # after seven versions, and after two
"""


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory as Linux counts it")
def test_versions_that_were_served_before_leave_nothing() -> None:
    starter = ROOT / "services" / "trainer" / "starter"
    done = subprocess.run(
        [sys.executable, "-c", CHANGES, str(starter)],
        env={"PYTHONPATH": str(ROOT / "services")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert float(done.stdout) < 1.05
