"""Settings of the trainer, from the environment; `.env.example` explains each."""

from pathlib import Path

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from recognizer.address import Address
from trainer.sizes import SIZES, SizeName


class SettingsError(Exception):
    """A setting has a value it cannot have; the message names the variable."""


class Settings(BaseSettings):
    """Read once at start; options of the command line go before them."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    mlflow_tracking_uri: str = "http://127.0.0.1:5000"
    model_uri: str = "models:/handwriting/Production"
    data_dir: Path = Path(".data/datasets")
    checkpoint_dir: Path = Path(".data/checkpoints")
    corrections_dir: str = ""
    train_minutes: float = Field(default=5, gt=0)
    train_size: SizeName = "small"
    train_dataset: str = "synthetic"

    @field_validator("model_uri")
    @classmethod
    def _an_address(cls, uri: str) -> str:
        Address.parse(uri)
        return uri

    @property
    def address(self) -> Address:
        return Address.parse(self.model_uri)


def load() -> Settings:
    """Raises `SettingsError` naming the first variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        hint = f" (one of {', '.join(SIZES)})" if name == "TRAIN_SIZE" else ""
        problem = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{name}={first['input']!r}: {problem}{hint}") from None


def is_plain(name: str) -> bool:
    """Whether it names a folder, and none above or below."""
    return Path(name).name == name and name not in ("", ".", "..")
