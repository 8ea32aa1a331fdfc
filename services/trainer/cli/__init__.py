"""The command line. A command imports what is slow to import when it runs."""

from trainer.cli import data, portable, runs, serve, studies, train, trial, use, versions
from trainer.cli.common import app

__all__ = [
    "app",
    "data",
    "main",
    "portable",
    "runs",
    "serve",
    "studies",
    "train",
    "trial",
    "use",
    "versions",
]


def main() -> None:
    app()
