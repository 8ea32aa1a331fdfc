"""The MLflow model registry: versions in, stages and aliases moved."""

import json
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

import recognizer
from recognizer.address import Address
from recognizer.bundle import Bundle

ARTIFACT = "bundle"  # the API looks for `artifacts/bundle` in a version's files
GATE = "gate."
REAL = "trained_on_real"
STARTER = "starter"
DIVIDED = "divided"

DESCRIPTION = (
    "Reads handwriting: images of words, lines and pages to text. A CRNN with CTC; the "
    "directory artifacts/bundle is all that reading needs."
)


class RegistryError(Exception):
    """The registry cannot do what was asked; the message says why."""


@dataclass(frozen=True)
class Version:
    """One version of the registered model."""

    number: str
    run_id: str | None
    tags: dict[str, str]

    @property
    def real(self) -> bool:
        """Whether it was trained on any writing by hand."""
        return self.tags.get(REAL) == "true"

    @property
    def divided(self) -> list[str]:
        """Sets that it learnt from in splits of its own."""
        names: list[str] = json.loads(self.tags.get(DIVIDED, "[]"))
        return names


class Registry:
    """One registered model and the address that says which of its versions is in production."""

    def __init__(self, tracking_uri: str, address: Address) -> None:
        mlflow.set_tracking_uri(tracking_uri)
        self.client = MlflowClient(tracking_uri)
        self.address = address

    def versions(self) -> list[Version]:
        """All versions, the newest first."""
        found = self.client.search_model_versions(f"name = '{self.address.name}'")
        return sorted(map(_version, found), key=lambda each: -int(each.number))

    def current(self) -> Version | None:
        """The version the address names, None while nothing is promoted."""
        address = self.address
        try:
            if address.kind == "stage":
                model = self.client.get_registered_model(address.name)
                staged = [v for v in model.latest_versions if v.current_stage == address.value]
                return _version(staged[0]) if staged else None
            if address.kind == "alias":
                found = self.client.get_model_version_by_alias(address.name, address.value)
            else:
                found = self.client.get_model_version(address.name, address.value)
        except MlflowException as error:
            # a missing alias is said to be an invalid parameter
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise
        return _version(found)

    def version(self, number: str) -> Version | None:
        """A version by its number; None where there is none, or no longer."""
        return next((each for each in self.versions() if each.number == number), None)

    def of_run(self, run_id: str) -> Version | None:
        """The version that a run has registered, if any."""
        found = self.client.search_model_versions(f"run_id = '{run_id}'")
        return next((_version(each) for each in found if each.name == self.address.name), None)

    def register(self, bundle: Bundle, *, description: str, tags: dict[str, str]) -> Version:
        """Log a bundle as a pyfunc model to the active run, and register it as a new version."""
        package = Path(recognizer.__file__).parent
        example = (bundle.path / bundle.manifest.golden[0].image).read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            # MLflow names the artifact after the directory it is given
            copy = Path(folder) / ARTIFACT
            shutil.copytree(bundle.path, copy)
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(package / "pyfunc.py"),
                artifacts={"bundle": str(copy)},
                code_paths=[str(package)],
                model_config={"threads": 0},
                signature=_signature(),
                input_example=pd.DataFrame({"image": [example]}),
                pip_requirements=_requirements(),
            )
        found = mlflow.register_model(logged.model_uri, self.address.name, tags=tags)
        self.client.update_registered_model(self.address.name, DESCRIPTION)
        self.client.update_model_version(self.address.name, found.version, description)
        return _version(found)

    def promote(self, number: str) -> None:
        """Make a version the one that the address names.

        Raises:
            RegistryError: the address pins a version, or there is no such version.
        """
        address = self.address
        if address.kind == "version":
            raise RegistryError(
                f"MODEL_URI pins version {address.value}; nothing can be promoted to it. "
                f"Use models:/{address.name}/Production or models:/{address.name}@champion."
            )
        try:
            if address.kind == "alias":
                self.client.set_registered_model_alias(address.name, address.value, number)
                return
            with warnings.catch_warnings():
                # stages are what the user asked for; MLflow would have everyone use aliases
                warnings.simplefilter("ignore", FutureWarning)
                self.client.transition_model_version_stage(
                    address.name, number, address.value, archive_existing_versions=True
                )
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            have = ", ".join(each.number for each in self.versions()) or "none"
            raise RegistryError(
                f"{address.name} has no version {number} (versions: {have})."
            ) from None

    def record_gate(self, number: str, decision: dict[str, Any]) -> None:
        """Say at a version, and at the model, what the gate decided and why."""
        name = self.address.name
        for key, value in decision.items():
            if value is not None:
                self.client.set_model_version_tag(name, number, GATE + key, _text(value))
        latest = {"version": number, **decision, "at": datetime.now(UTC).isoformat()}
        self.client.set_registered_model_tag(name, f"{GATE}latest", json.dumps(latest))

    def bundle(self, version: Version, folder: Path) -> Path:
        """Download the bundle of a version into a folder."""
        source = self.client.get_model_version_download_uri(self.address.name, version.number)
        return Path(
            mlflow.artifacts.download_artifacts(
                artifact_uri=f"{source}/artifacts/{ARTIFACT}", dst_path=str(folder)
            )
        )


def _version(found: ModelVersion) -> Version:
    return Version(str(found.version), found.run_id or None, dict(found.tags))


def _text(value: Any) -> str:
    return f"{value:.5f}" if isinstance(value, float) else str(value)


def _signature() -> ModelSignature:
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, "image")]),
        outputs=Schema([ColSpec(DataType.string, "text"), ColSpec(DataType.double, "confidence")]),
        params=ParamSchema(
            [
                ParamSpec("decoder", DataType.string, "auto"),
                ParamSpec("level", DataType.string, "auto"),
                ParamSpec("errors", DataType.string, "raise"),
            ]
        ),
    )


def _requirements() -> list[str]:
    names = ("mlflow", "numpy", "onnxruntime", "pandas", "pillow", "pydantic")
    return [f"{name}=={installed(name)}" for name in names]
