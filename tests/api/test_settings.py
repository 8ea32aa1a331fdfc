"""A wrong setting ends the process with one line that names it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.cores import cores
from api.settings import MOST_WORKERS, Settings
from recognizer.address import Address

SERVICES = Path(__file__).parents[2] / "services"

UVICORN = ["-m", "uvicorn", "api.main:app", "--port", "0"]


def start(command: list[str], **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": str(SERVICES), **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("command", [UVICORN, ["-m", "api"]], ids=["uvicorn", "python -m api"])
def test_a_wrong_setting_ends_the_process(command: list[str]) -> None:
    ended = start(command, POLL_SECONDS="never", MAX_PIXELS="-5")
    assert ended.returncode == 2
    assert ended.stdout == ""
    first, second = ended.stderr.splitlines()
    assert first.startswith("POLL_SECONDS=never is wrong: ")
    assert second.startswith("MAX_PIXELS=-5 is wrong: ")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("model_uri", "handwriting/7", "write models:/NAME/Production"),
        ("model_uri", "models:/handwriting", "write models:/NAME/Production"),
        ("model_uri", "models:/handwriting/champion", "models:/handwriting@ALIAS"),
        ("model_uri", "models:/handwriting/latest", "is no stage"),
        ("api_port", "70000", "65535"),
        ("poll_seconds", "0", "greater than 0"),
        ("log_level", "LOUD", "INFO"),
        ("log_format", "xml", "json"),
        ("max_upload_bytes", "10 MB", "integer"),
    ],
)
def test_what_is_wrong_is_said(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name.upper(), value)
    with pytest.raises(ValueError, match=says):
        Settings()


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLL_SECONDS", "")
    assert Settings().poll_seconds == 5


def test_threads_fill_the_cores() -> None:
    alone = Settings().share()
    assert (alone.threads, alone.threads_inside) == (cores() + 1, 1)
    assert Settings(inference_threads=1).share().threads_inside == cores()


def test_workers_share_the_cores_and_the_queue() -> None:
    settings = Settings(max_queue_images=25, inference_threads=1)
    one, two = settings.share(), settings.share(2)
    assert (one.queue_images, two.queue_images) == (25, 13)
    assert two.threads_inside == max(1, cores() // 2)
    many = Settings().share(4 * cores())
    assert (many.threads, many.threads_inside) == (1, 1)


def test_workers_are_as_many_as_told_or_one_for_each_core_up_to_some() -> None:
    assert Settings(workers=7).processes == 7
    assert Settings().processes == min(cores(), MOST_WORKERS)


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("models:/handwriting/Production", Address("handwriting", "stage", "Production")),
        ("models:/handwriting/staging", Address("handwriting", "stage", "Staging")),
        ("models:/my hand@champion", Address("my hand", "alias", "champion")),
        ("models:/handwriting/7", Address("handwriting", "version", "7")),
    ],
)
def test_addresses(uri: str, address: Address) -> None:
    assert Address.parse(uri) == address
    assert Address.parse(str(address)) == address
