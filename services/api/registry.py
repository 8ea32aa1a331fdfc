"""Questions to the MLflow registry. The only module here that knows MLflow."""

import json
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic_core import from_json, to_json

from api.errors import RegistryError
from api.serving import Version
from recognizer.address import Address

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

T = TypeVar("T")

BUNDLE = "artifacts/bundle"

# A poll that hangs must end before many others were due, and the watcher itself tries again;
# MLflow's own defaults wait two minutes, seven times over.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@dataclass(frozen=True)
class Answer:
    """What the registry says now: the version that is meant, or what is missing."""

    version: Version | None
    missing: str | None
    gate: dict[str, Any] | None


class Registry:
    """One registered model of one MLflow server. Calls block; all raise `RegistryError`."""

    def __init__(self, tracking_uri: str, address: Address) -> None:
        self._uri = tracking_uri
        self._address = address

    @cached_property
    def _client(self) -> "MlflowClient":
        for variable, value in _PATIENCE.items():
            os.environ.setdefault(variable, value)
        # imported here: it takes seconds
        from mlflow import MlflowClient

        return MlflowClient(self._uri, self._uri)

    @property
    def shown(self) -> str:
        """Its address, for people."""
        return hidden(self._uri)

    def close(self) -> None:
        """Nothing more will be asked."""

    def resolve(self) -> Answer:
        """Which version the address names now. Nothing promoted yet is an answer, no error."""
        address = self._address
        with self._errors():
            model = self._or_none(lambda: self._client.get_registered_model(address.name))
            if model is None:
                return Answer(None, f"No model named {address.name} is registered yet.", None)
            found = self._pick(model)
        gate = _parsed(model.tags.get("gate.latest"))
        if found is None:
            return Answer(None, self._missing(), gate)
        return Answer(_version(found), None, gate)

    def metrics(self, version: Version) -> dict[str, float]:
        """The last value of each metric of the run that made a version."""
        if not version.run_id:
            return {}
        with self._errors():
            run = self._or_none(lambda: self._client.get_run(version.run_id or ""))
        metrics = run.data.metrics if run else {}
        return {
            name: value
            for name, value in metrics.items()
            if math.isfinite(value) and not name.startswith("system/")
        }

    def download(self, version: Version, into: Path) -> Path:
        """Fetch the bundle of a version, and nothing else of it, into an empty directory."""
        with self._errors(f"version {version.version} cannot be downloaded from {self._uri}"):
            from mlflow.artifacts import download_artifacts, list_artifacts

            source = self._client.get_model_version_download_uri(version.name, version.version)
            uri = f"{source.rstrip('/')}/{BUNDLE}"
            if list_artifacts(artifact_uri=uri, tracking_uri=self._uri):
                return Path(
                    download_artifacts(artifact_uri=uri, dst_path=str(into), tracking_uri=self._uri)
                )
        raise RegistryError(f"it has no directory {BUNDLE}, so the trainer did not register it")

    def _pick(self, model: "RegisteredModel") -> "ModelVersion | None":
        client, address = self._client, self._address
        if address.kind == "stage":
            # the newest version of each stage; asking for stages by name only warns
            return next(
                (v for v in model.latest_versions if v.current_stage == address.value), None
            )
        number = address.value if address.kind == "version" else model.aliases.get(address.value)
        if number is None:
            return None
        return self._or_none(lambda: client.get_model_version(address.name, str(number)))

    def _missing(self) -> str:
        name, value = self._address.name, self._address.value
        return {
            "stage": f"No version of {name} is in stage {value}.",
            "alias": f"No version of {name} has the alias {value}.",
            "version": f"{name} has no version {value}.",
        }[self._address.kind]

    @staticmethod
    def _or_none(ask: Callable[[], T]) -> T | None:
        """What was asked for, None where the registry says that it does not exist."""
        from mlflow.exceptions import MlflowException

        try:
            return ask()
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    @contextmanager
    def _errors(self, what: str = "") -> Iterator[None]:
        """MLflow raises its own exceptions, those of requests and plain OSErrors."""
        try:
            yield
        except Exception as error:
            what = what or f"The registry at {self.shown} does not answer as it should"
            raise RegistryError(hidden(f"{what}: {_cause(error)}")) from error


def _cause(error: BaseException) -> str:
    """One line: MLflow hides what went wrong behind several of wrapping."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    text = str(error).strip() or type(error).__name__
    file = re.search(r"##### File (.+) #####\n(.+)", text)
    return f"{file[1]}: {file[2]}" if file else text.splitlines()[0]


def _version(found: "ModelVersion") -> Version:
    return Version(
        name=found.name,
        version=str(found.version),
        run_id=found.run_id or None,
        source=found.source or "",
        created=found.creation_timestamp,
        tags={name: value for name, value in found.tags.items() if name.startswith("gate.")},
    )


def _parsed(tag: str | None) -> dict[str, Any] | None:
    """What a tag says, None where that is no object, or none that another process can be told."""
    try:
        parsed = json.loads(tag or "null")
        # lone surrogates and deep nesting are JSON too; it is passed on inside of other objects
        from_json(to_json([[[[parsed]]]]))
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def hidden(text: str) -> str:
    """A text whose addresses show no user name and password, and that shows no path of a machine.

    Of a path its last part stays.
    """
    text = re.sub(r"(?<=://)[^/@\s]+@", "", text)
    return re.sub(r"(?<![\w:/.%-])(?:/[\w.@%+~-]+)+/(?=[\w.@%+~-])", "", text)[:500]
