"""`.env.example` is complete and true: every name that is read, with its default."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from api.settings import Settings as ApiSettings
from tools.up import Settings as UpSettings
from trainer.settings import Settings as TrainerSettings

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"^#(?P<name>[A-Z_]+)=(?P<value>.*)$", re.MULTILINE)


def documented() -> dict[str, str]:
    text = (ROOT / ".env.example").read_text()
    return {found["name"]: found["value"] for found in LINE.finditer(text)}


@pytest.mark.parametrize("settings", [ApiSettings, TrainerSettings, UpSettings])
def test_every_setting_is_documented_with_its_default(
    settings: type[BaseSettings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # no .env here
    names = [name.upper() for name in settings.model_fields]
    for name in names:
        monkeypatch.delenv(name, raising=False)
    defaults = settings()
    for name in names:
        monkeypatch.setenv(name, documented()[name])
    assert settings() == defaults


@pytest.mark.parametrize("file", ["docker-compose.yml", "docker-compose.gpu.yml"])
def test_every_variable_of_compose_is_documented(file: str) -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / file).read_text()))
    assert used
    assert used <= documented().keys()
