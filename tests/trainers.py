"""The trainer's command line as people run it."""

import os
import subprocess
import sys
from pathlib import Path

from servers import SERVICES, Mlflow


def environment_of(server: Mlflow, model: str, state: Path) -> dict[str, str]:
    """Its settings: a server, a model in `Production`, and a folder of its own."""
    return {
        **os.environ,
        "PYTHONPATH": str(SERVICES),
        "MLFLOW_TRACKING_URI": server.uri,
        "MODEL_URI": f"models:/{model}/Production",
        "DATA_DIR": str(state / "datasets"),
        "CHECKPOINT_DIR": str(state / "checkpoints"),
    }


def trainer(environment: dict[str, str], *arguments: str, fails: bool = False) -> str:
    """What a command prints; where it fails, what it says of that."""
    found = subprocess.run(
        [sys.executable, "-m", "trainer", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert (found.returncode != 0) == fails, found.stdout + found.stderr
    return found.stderr if fails else found.stdout
