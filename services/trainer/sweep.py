"""`sweep.yaml`: which settings of a training to search, over what, and how long."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from trainer.datasets.weighted import without_weight
from trainer.recipe import Recipe
from trainer.sizes import OptimizerName, SizeName
from trainer.trial import Job, Metric

Kind = Literal["choice", "uniform", "loguniform", "randint"]
Value = int | float | str

Whole = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]

PARAMETERS: Mapping[str, TypeAdapter[Any]] = {
    "size": TypeAdapter(SizeName),
    "batch_size": TypeAdapter(Whole),
    "learning_rate": TypeAdapter(Annotated[float, Field(gt=0)]),
    "optimizer": TypeAdapter(OptimizerName),
    "patience": TypeAdapter(Whole),
    "augmentation": TypeAdapter(Share),
    "dropout": TypeAdapter(Annotated[float, Field(ge=0, le=0.9)]),
    "seed": TypeAdapter(Annotated[int, Field(ge=0)]),
}
"""What `train` has an option for -> the values it takes."""

WHOLE = ("batch_size", "patience", "seed")
WEIGHT: TypeAdapter[float] = TypeAdapter(Annotated[float, Field(gt=0, le=100)])


class SweepError(Exception):
    """A sweep file cannot be used; the message says where and why."""


class Strict(BaseModel):
    """A part of the file, in which a word that is not known is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Domain(Strict):
    """What a parameter is drawn from: one of these, each bound included."""

    choice: list[Value] | None = Field(default=None, min_length=1)
    uniform: tuple[float, float] | None = None
    loguniform: tuple[float, float] | None = None
    randint: tuple[int, int] | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        """A bare value is a choice of one."""
        return given if isinstance(given, dict | Domain) else {"choice": [given]}

    @model_validator(mode="after")
    def _one(self) -> "Domain":
        if len(self.model_fields_set) != 1:
            raise ValueError("name one of choice, uniform, loguniform, randint, or give a value")
        if self.kind != "choice":
            low, high = self.values
            if not low < high:
                raise ValueError(f"{self.kind} goes from a lower to a higher number")
            if self.kind == "loguniform" and low <= 0:
                raise ValueError("loguniform begins above 0")
        return self

    @property
    def kind(self) -> Kind:
        (kind,) = self.model_fields_set
        return kind  # type: ignore[return-value]  # the names of the fields

    @property
    def values(self) -> list[Any]:
        """The values, or the bounds."""
        return list(getattr(self, self.kind))

    def checked(self, taken: TypeAdapter[Any]) -> "Domain":
        """With values of the right type. Raises ValueError for one that is not taken."""
        try:
            values = [taken.validate_python(value) for value in self.values]
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{first['input']!r}: {first['msg']}") from None
        return Domain.model_validate({self.kind: values})


class EarlyStopping(Strict):
    """Of Ray's ASHA: from `grace_epochs` on, and at each `reduction_factor` times as many epochs,
    the best one in `reduction_factor` go on."""

    grace_epochs: Whole = 1
    reduction_factor: Annotated[float, Field(gt=1)] = 3


class Sweep(Strict):
    """The whole file."""

    dataset: list[str] = Field(min_length=1)
    parameters: dict[str, Domain] = Field(min_length=1)
    weights: dict[str, Domain] = {}
    """One of `dataset` -> how often an epoch draws it."""
    trials: Whole = 10
    epochs: Whole = 50
    minutes: Annotated[float, Field(gt=0)] | None = None
    metric: Metric = "val_cer"
    seed: Annotated[int, Field(ge=0)] = 1
    """Of what is drawn."""
    from_scratch: bool = False
    early_stopping: EarlyStopping | None = EarlyStopping()

    @field_validator("dataset", mode="before")
    @classmethod
    def _one(cls, given: Any) -> Any:
        return [given] if isinstance(given, str) else given

    @field_validator("parameters")
    @classmethod
    def _known(cls, given: dict[str, Domain]) -> dict[str, Domain]:
        for name, domain in given.items():
            if name not in PARAMETERS:
                raise ValueError(f"{name} is none of {', '.join(PARAMETERS)}")
            if name in WHOLE and domain.kind in ("uniform", "loguniform"):
                raise ValueError(f"{name} takes whole numbers: choice or randint")
        return {name: _checked(name, given[name], PARAMETERS[name]) for name in given}

    @model_validator(mode="after")
    def _weights(self) -> "Sweep":
        for name, domain in self.weights.items():
            if name not in self.dataset:
                raise ValueError(f"weights: {name} is not among the datasets, written as there")
            if without_weight(name)[1] != 1:
                raise ValueError(f"weights: {name} has one already")
            _checked(f"weights: {name}", domain, WEIGHT)
        return self

    def domains(self) -> dict[str, Any]:
        """The parameters, and `weights` by the number of the dataset: as `job_of` takes them."""
        weights = {str(self.dataset.index(name)): each for name, each in self.weights.items()}
        return {**self.parameters, **({"weights": weights} if weights else {})}


def _checked(name: str, domain: Domain, taken: TypeAdapter[Any]) -> Domain:
    try:
        return domain.checked(taken)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def read(file: Path) -> Sweep:
    """A sweep file.

    Raises:
        SweepError: it cannot be read, or something in it cannot be.
    """
    try:
        return Sweep.model_validate(yaml.safe_load(file.read_text("utf-8")) or {})
    except (OSError, UnicodeDecodeError) as error:
        raise SweepError(f"{file} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise SweepError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise SweepError(f"{file}: {place + ': ' if place else ''}{said}") from None


def command(job: Job) -> str:
    """The `train` that does what a job did, and registers its version through the gate."""
    words = ["python", "-m", "trainer", "train"]
    for name in job.datasets:
        words += ["-d", name]
    usual, chosen = Recipe().parameters(), job.recipe.parameters()
    for name in (*PARAMETERS, "epochs", "minutes"):
        # the default size is a setting
        if name == "size" or chosen[name] != usual[name]:
            words += [f"--{name.replace('_', '-')}", _written(chosen[name])]
    if job.from_scratch:
        words.append("--from-scratch")
    return shlex.join(words)


def _written(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
