"""Results kept in a JSON file, so that tables and pictures can be made of them again."""

from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from tools.bench_reading.problem import Problem


class Kept(BaseModel):
    """Fields that are written to a file whole and read back."""

    model_config = ConfigDict(extra="forbid")

    advice: ClassVar[str]
    """What to do where a file cannot be read back."""

    def save(self, file: Path) -> None:
        """Write it; what was there before stays until the new file is whole."""
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        new.replace(file)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Raises `Problem` where there is none, or one of another version."""
        try:
            return cls.model_validate_json(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise Problem(f"{file} cannot be used ({reason}). {cls.advice}") from error
