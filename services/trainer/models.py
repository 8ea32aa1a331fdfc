"""Finding what a command line names: a bundle in a folder, or a version in the registry."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from recognizer.address import Address
from recognizer.manifest import NAME
from trainer.registry import Registry, RegistryError
from trainer.settings import Settings

_RUN = re.compile(r"runs:/(?P<run>[0-9a-f]+)(/.*)?")


@dataclass(frozen=True)
class Found:
    """A bundle, and what a person would call it: its folder, or its version in the registry."""

    path: Path
    name: str


@contextmanager
def bundle_of(model: str | None, settings: Settings) -> Iterator[Path]:
    """The bundle of a model; one from the registry lives as long as the context.

    Args:
        model: a folder with recognizer.json, `models:/...` or `runs:/...`; None means MODEL_URI.

    Raises:
        RegistryError: neither, or nothing is registered or promoted there.
    """
    with found_of(model, settings) as found:
        yield found.path


@contextmanager
def found_of(model: str | None, settings: Settings) -> Iterator[Found]:
    """As `bundle_of`, with the name of what was found: `models:/handwriting/7` for a stage."""
    name = model or settings.model_uri
    if (Path(name) / NAME).is_file():
        yield Found(Path(name), str(Path(name).absolute()))
        return
    address = address_of(name, settings)
    registry = Registry(settings.mlflow_tracking_uri, address)
    version = registry.current()
    if version is None:
        raise RegistryError(f"{name} names no version: nothing is registered or promoted there.")
    with tempfile.TemporaryDirectory() as folder:
        bundle = registry.bundle(version, Path(folder))
        yield Found(bundle, f"models:/{address.name}/{version.number}")


def address_of(name: str, settings: Settings) -> Address:
    """Where in the registry `models:/...` is, or the version that `runs:/RUN/...` registered.

    Raises:
        RegistryError: it is neither, or the run has registered no version.
    """
    if found := _RUN.fullmatch(name):
        client = MlflowClient(settings.mlflow_tracking_uri)
        versions = client.search_model_versions(f"run_id = '{found['run']}'")
        if not versions:
            raise RegistryError(f"The run {found['run']} has registered no version.")
        newest = max(versions, key=lambda version: int(version.version))
        return Address(newest.name, "version", str(newest.version))
    try:
        return Address.parse(name)
    except ValueError as error:
        raise RegistryError(f"{name} is no folder with {NAME}, and no address: {error}.") from None
