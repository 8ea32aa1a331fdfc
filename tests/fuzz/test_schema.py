"""Calls made from the OpenAPI schema: no failure of the service, answers as the schema says."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.keys import make
from bundles import make_bundle
from calls import fill_cache
from servers import Api

REGISTRY = "http://127.0.0.1:9"  # nothing listens there
KEY, ENTRY = make("schema")

# A text that the schema allows is rarely an image. And every text is a text in a form: where a
# number or an object was put instead, nobody can tell.
CONFIGURATION = f"""
[auth.openapi.header]
api_key = "{KEY}"

[checks]
positive_data_acceptance.enabled = false

[[operations]]
include-path-regex = "^/(predict(/batch)?|corrections)$"
include-method = "POST"
checks.negative_data_rejection.enabled = false
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Everything that settings can switch on is on, so that the schema is the whole one."""
    path = tmp_path_factory.mktemp("api")
    bundle = make_bundle(path / "bundle").path
    fill_cache(path / "cache", bundle, REGISTRY, "models:/handwriting/Production")
    settings = {
        "MLFLOW_TRACKING_URI": REGISTRY,
        "API_KEYS": ENTRY,
        "METRICS_OPEN": "false",
        "IMAGE_URL_HOSTS": "images.example.org",
        "IMAGE_URL_SECONDS": "1",
        "CORS_ORIGINS": "*",
        "CORRECTIONS_DIR": str(path / "corrections"),
        "LOG_LEVEL": "WARNING",
    }
    with Api(path, **settings) as server:
        server.wait_ready()
        yield server
        assert "Traceback" not in server.log.read_text(errors="replace")


def run(server: Api, folder: Path, *options: str) -> None:
    """Let schemathesis ask the server; it ends with 0 where all its checks passed."""
    configuration = folder / "schemathesis.toml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    command = [Path(sys.executable).parent / "schemathesis", "--config-file", configuration]
    command += ["run", f"{server.uri}/openapi.json"]
    command += ["--generation-deterministic", "--continue-on-failure", "--no-color"]
    command += ["--request-timeout", "20", "--warnings", "off", *options]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    asked = re.search(r"(\d+) generated", done.stdout)
    assert asked
    assert "Selected: 12/12" in done.stdout
    print(f"{asked[1]} calls")


def test_calls_from_the_schema(server: Api, tmp_path: Path) -> None:
    run(server, tmp_path, "--max-examples", "8", "--phases", "examples,fuzzing")


@pytest.mark.slow
def test_many_calls_from_the_schema(server: Api, tmp_path: Path) -> None:
    """Also every limit that the schema names, just kept and just not."""
    run(server, tmp_path, "--max-examples", "300", "--phases", "examples,coverage,fuzzing")
