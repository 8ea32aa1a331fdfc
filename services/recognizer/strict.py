"""Models that take no field but their own."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Strict(BaseModel):
    """Refuses unknown fields, and complains of one of them: what comes from outside may have a
    million, and as many complaints would fill the memory."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _one_unknown(cls, value: Any) -> Any:
        if not isinstance(value, dict) or len(value) <= len(cls.model_fields):
            return value
        unknown = next(name for name in value if name not in cls.model_fields)
        kept = {name: value[name] for name in cls.model_fields if name in value}
        return {**kept, unknown: value[unknown]}
