"""Every setting of the API, read from the environment, checked once at the start."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.cores import cores
from api.headers import parse_origins
from api.hosts import AllowList
from api.keys import ApiKey, parse
from recognizer.address import Address

WRONG_SETTING = 2
"""The exit code of a process that was started with a wrong setting."""

IMAGES_A_CORE = 32
"""As many as a core reads in half a second or less, whatever its age: more only wait longer."""

MOST_WORKERS = 4
"""Started unless told: each has a copy of the network."""


@dataclass(frozen=True)
class Share:
    """What one of several workers has of the machine."""

    threads: int
    """Batches read at the same time."""
    threads_inside: int
    """Threads inside one inference, so that those of all workers together fill the cores."""
    queue_images: int
    """The most images inside at a time."""


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
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    inference_threads: Annotated[int, Field(ge=0, le=256)] = 0

    max_queue_images: Annotated[int, Field(ge=0, le=100_000)] = 0
    queue_seconds: Annotated[float, Field(gt=0, le=600)] = 0.75
    request_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    shutdown_seconds: Annotated[float, Field(ge=0, le=3600)] = 20.0

    api_keys: Annotated[tuple[ApiKey, ...], NoDecode, Field(repr=False)] = ()
    metrics_open: bool = True

    image_url_hosts: Annotated[AllowList, NoDecode] = AllowList()
    image_url_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()

    corrections_dir: str = ""
    corrections_days: Annotated[float, Field(ge=0, le=36500)] = 0.0
    corrections_max_bytes: Annotated[int, Field(ge=1024, le=1024**5)] = 1_000_000_000
    mlflow_public_url: Annotated[str, Field(pattern=r"^(https?://[^\s\"<>]+)?$")] = ""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"

    @field_validator("model_uri")
    @classmethod
    def _is_an_address(cls, uri: str) -> str:
        Address.parse(uri)
        return uri

    @field_validator("api_keys", mode="before")
    @classmethod
    def _hashes_of_keys(cls, keys: object) -> object:
        return parse(keys) if isinstance(keys, str) else keys

    @field_validator("image_url_hosts", mode="plain")
    @classmethod
    def _hosts(cls, hosts: object) -> AllowList:
        return hosts if isinstance(hosts, AllowList) else AllowList.parse(str(hosts))

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, origins: object) -> object:
        return parse_origins(origins) if isinstance(origins, str) else origins

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level

    @property
    def address(self) -> Address:
        return Address.parse(self.model_uri)

    @property
    def mlflow_page(self) -> str | None:
        """Where browsers find MLflow's page; None where nobody has said it."""
        inside = urlsplit(self.mlflow_tracking_uri)
        plain = inside.scheme in ("http", "https") and "@" not in inside.netloc  # no password
        return (self.mlflow_public_url or (inside.geturl() if plain else "")).rstrip("/") or None

    @property
    def processes(self) -> int:
        """How many answer: `WORKERS`, or one for each core, up to `MOST_WORKERS`.

        Elsewhere than on Linux one, as no other system shares out connections between them.
        """
        return self.workers or (min(cores(), MOST_WORKERS) if sys.platform == "linux" else 1)

    def share(self, workers: int = 1) -> Share:
        """What each of so many workers gets.

        Inference threads are `INFERENCE_THREADS`, or one for each of its cores; and of a single
        worker one more, which has work at hand whenever another waits for the interpreter's lock.
        Several workers have a lock each, and smaller batches would cost more than that gives.
        """
        more = 1 if workers == 1 else 0
        threads = self.inference_threads or math.ceil(cores() / workers) + more
        return Share(
            threads,
            threads_inside=max(1, cores() // (threads * workers)),
            queue_images=math.ceil((self.max_queue_images or IMAGES_A_CORE * cores()) / workers),
        )


def load_settings() -> Settings:
    """Read the settings, or end the process with a line for each wrong one."""
    try:
        return Settings()
    except ValidationError as error:
        for each in error.errors(include_url=False):
            variable = "_".join(map(str, each["loc"])).upper() or "Settings"
            reason = each["msg"].removeprefix("Value error, ")
            # a key pasted where its hash belongs must not stand in a log
            shown = variable if variable == "API_KEYS" else f"{variable}={each['input']}"
            print(f"{shown} is wrong: {reason}", file=sys.stderr)
        raise SystemExit(WRONG_SETTING) from None
