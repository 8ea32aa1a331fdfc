"""The API as it is started in earnest, with a tiny model from its cache and no registry."""

from collections.abc import Iterator

import pytest

from bundles import make_bundle
from calls import fill_cache
from servers import Api

REGISTRY = "http://127.0.0.1:9"  # nothing listens there


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    path = tmp_path_factory.mktemp("api")
    bundle = make_bundle(path / "bundle").path
    fill_cache(path / "cache", bundle, REGISTRY, "models:/handwriting/Production")
    with Api(path, MLFLOW_TRACKING_URI=REGISTRY, LOG_LEVEL="WARNING") as server:
        server.wait_ready()
        yield server
