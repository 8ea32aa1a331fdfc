"""Fixtures that several directories of tests share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servers import Mlflow

ROOT = Path(__file__).parents[1]

# A process that runs tests side by side with others may be told of a terminal of 80 columns, and
# Rich's console keeps for good what it finds when it is made: tests say themselves how wide it is.
for _size in ("COLUMNS", "LINES"):
    os.environ.pop(_size, None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real handwriting beside the repository."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"needs the real lines in {path}, which are not part of the repository")
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    """Makes tiny bundles: `bundle("b")` is the directory of one that writes "b" for a bar."""
    from bundles import make_bundle

    made = 0

    def make(letter: str = "a", *, golden: str | None = None) -> Path:
        nonlocal made
        made += 1
        return make_bundle(tmp_path / f"made-{made}" / "bundle", letter, golden=golden).path

    return make


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Mlflow]":
    """One MLflow server for all tests: each names its models as itself and leaves it running."""
    from servers import Mlflow

    with Mlflow(tmp_path_factory.mktemp("mlflow")) as server:
        yield server
