"""Every setting of the API, read from the environment, checked once at the start."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from recognizer.address import Address

WRONG_SETTING = 2
"""The exit code of a process that was started with a wrong setting."""


class Settings(BaseSettings):
    """One field a variable; the variable's name is the field's in capitals."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore")

    mlflow_tracking_uri: Annotated[str, Field(min_length=1)] = "http://127.0.0.1:5000"
    model_uri: str = "models:/handwriting/Production"
    model_cache_dir: Path = Path(".data/cache")
    poll_seconds: Annotated[float, Field(gt=0, le=3600)] = 5.0

    api_host: str = "127.0.0.1"
    api_port: Annotated[int, Field(ge=0, le=65535)] = 8000
    max_upload_bytes: Annotated[int, Field(ge=1024, le=1024**3)] = 10_000_000
    max_batch_bytes: Annotated[int, Field(ge=1024, le=4 * 1024**3)] = 50_000_000
    max_batch_images: Annotated[int, Field(ge=1, le=1000)] = 64
    max_pixels: Annotated[int, Field(ge=1024, le=1_000_000_000)] = 50_000_000
    inference_threads: Annotated[int, Field(ge=0, le=256)] = 0

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"

    @field_validator("model_uri")
    @classmethod
    def _is_an_address(cls, uri: str) -> str:
        Address.parse(uri)
        return uri

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level

    @property
    def address(self) -> Address:
        return Address.parse(self.model_uri)

    @property
    def threads(self) -> int:
        """Images read at the same time: `INFERENCE_THREADS`, or one a core this process may use."""
        return self.inference_threads or cores()

    @property
    def threads_inside(self) -> int:
        """Threads inside one inference, so that all of them together fill the cores."""
        return max(1, cores() // self.threads)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_settings() -> Settings:
    """Read the settings, or end the process with a line for each wrong one."""
    try:
        return Settings()
    except ValidationError as error:
        for each in error.errors(include_url=False):
            variable = "_".join(map(str, each["loc"])).upper() or "Settings"
            reason = each["msg"].removeprefix("Value error, ")
            print(f"{variable}={each['input']} is wrong: {reason}", file=sys.stderr)
        raise SystemExit(WRONG_SETTING) from None
