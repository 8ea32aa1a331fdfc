"""`MODEL_URI`: which model version is meant, in MLflow's own terms."""

import re
from dataclasses import dataclass
from typing import Literal

STAGES = ("Production", "Staging", "Archived")

_FORM = re.compile(r"models:/(?P<name>[^/@:]+)(?:/(?P<suffix>[^/@]+)|@(?P<alias>[^/@]+))")


@dataclass(frozen=True)
class Address:
    """A registered model and what names one of its versions: a stage, an alias or a number."""

    name: str
    kind: Literal["stage", "alias", "version"]
    value: str

    @classmethod
    def parse(cls, uri: str) -> "Address":
        """Read `models:/NAME/STAGE`, `models:/NAME@ALIAS` or `models:/NAME/NUMBER`.

        Raises:
            ValueError: it is none of them.
        """
        found = _FORM.fullmatch(uri)
        if not found:
            raise ValueError(
                "write models:/NAME/Production, models:/NAME@ALIAS or models:/NAME/NUMBER"
            )
        name, suffix, alias = found["name"], found["suffix"], found["alias"]
        if alias:
            return cls(name, "alias", alias)
        if suffix.isdecimal():
            return cls(name, "version", str(int(suffix)))
        for stage in STAGES:
            if suffix.lower() == stage.lower():
                return cls(name, "stage", stage)
        raise ValueError(
            f"{suffix!r} is no stage ({', '.join(STAGES)}); for an alias write models:/{name}@ALIAS"
        )

    def __str__(self) -> str:
        """As MLflow writes it, and `parse` reads it."""
        return f"models:/{self.name}{'@' if self.kind == 'alias' else '/'}{self.value}"

    @property
    def label(self) -> str:
        """What answers give as `stage`: the stage or the alias; "version" for a pinned one."""
        return "version" if self.kind == "version" else self.value
