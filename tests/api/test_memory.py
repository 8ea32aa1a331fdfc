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
from types import SimpleNamespace
from api import memory
from api.serving import Serving, open_bundle

memory.give_back()
serving, resident = Serving(address=None, poll_seconds=1), []

def change():
    # in a thread, as the watcher does: that has its memory from another arena
    recognizer = open_bundle(Path(sys.argv[1]), threads=1, alone_threads=2)
    serving.model = SimpleNamespace(recognizer=recognizer)

for _ in range(7):
    thread = threading.Thread(target=change)
    thread.start()
    thread.join()
    serving.trim()
    resident.append(psutil.Process().memory_info().rss)
print(resident[-1] / resident[1])  # after seven versions, and after two
"""


BATCH = """
import sys
from pathlib import Path
import numpy as np
import psutil
from api.serving import open_bundle
from recognizer.prepare import Prepared

recognizer = open_bundle(Path(sys.argv[1]), threads=1, alone_threads=2)
spec = recognizer.manifest.input
widest = np.random.default_rng(0).random((spec.height, spec.buckets[-1]), np.float32)
narrowest = Prepared(widest[:, : spec.buckets[0]], scale=1.0, left=spec.margin)
read = recognizer.infer([narrowest])[0]
resident = [psutil.Process().memory_info().rss]
recognizer.infer([Prepared(widest, scale=1.0, left=spec.margin)] * 16)
resident.append(psutil.Process().memory_info().rss)
recognizer.release_memory()
resident.append(psutil.Process().memory_info().rss)
assert np.array_equal(read, recognizer.infer([narrowest])[0])
print((resident[1] - resident[0]) / 2**20, (resident[2] - resident[0]) / 2**20)
"""


def printed(program: str) -> list[float]:
    starter = ROOT / "services" / "trainer" / "starter"
    done = subprocess.run(
        [sys.executable, "-c", program, str(starter)],
        env={"PYTHONPATH": str(ROOT / "services")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [float(number) for number in done.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory as Linux counts it")
def test_versions_that_were_served_before_leave_nothing() -> None:
    (times,) = printed(CHANGES)
    assert times < 1.05


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory as Linux counts it")
def test_what_a_large_batch_took_can_be_given_back() -> None:
    taken, kept = printed(BATCH)
    assert taken > 40  # megabytes
    assert kept < taken / 4
