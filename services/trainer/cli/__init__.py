"""The command line. A command imports what is slow to import when it runs."""

from trainer.cli import (
    data,
    pages,
    portable,
    retrain,
    runs,
    serve,
    splits,
    sweep,
    train,
    transcribe,
    trial,
    use,
    versions,
)
from trainer.cli.common import app

__all__ = [
    "app",
    "data",
    "main",
    "pages",
    "portable",
    "retrain",
    "runs",
    "serve",
    "splits",
    "sweep",
    "train",
    "transcribe",
    "trial",
    "use",
    "versions",
]


def main() -> None:
    app()
