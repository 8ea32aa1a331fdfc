"""An API for each test, on the MLflow server that all share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from servers import Mlflow
from sessions import Session


@pytest.fixture
def session(
    mlflow_server: Mlflow, request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[..., Session]:
    """Makes sessions; `session("@champion")` is one whose MODEL_URI ends so."""

    def make(suffix: str = "/Production") -> Session:
        return Session(mlflow_server, request.node.name, tmp_path / "cache", suffix)

    return make
