"""Finding the bundle that a command line names: a folder, or an address in the registry."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recognizer.address import Address
from recognizer.manifest import NAME
from trainer.registry import Registry, RegistryError
from trainer.settings import Settings


@contextmanager
def bundle_of(model: str | None, settings: Settings) -> Iterator[Path]:
    """The bundle of a model; one from the registry lives as long as the context.

    Args:
        model: a folder with recognizer.json, or `models:/...`; None means MODEL_URI.

    Raises:
        RegistryError: neither, or nothing is registered or promoted there.
    """
    name = model or settings.model_uri
    if (Path(name) / NAME).is_file():
        yield Path(name)
        return
    try:
        address = Address.parse(name)
    except ValueError as error:
        raise RegistryError(f"{name} is no folder with {NAME}, and no address: {error}.") from None
    registry = Registry(settings.mlflow_tracking_uri, address)
    version = registry.current()
    if version is None:
        raise RegistryError(f"{name} names no version: nothing is registered or promoted there.")
    with tempfile.TemporaryDirectory() as folder:
        yield registry.bundle(version, Path(folder))
