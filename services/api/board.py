"""What the workers of one service tell each other, as files in a directory they share.

Files appear and change by renaming: whoever is killed half-way leaves nothing half written.
"""

import os
from contextlib import suppress
from pathlib import Path

import structlog
from pydantic import BaseModel, ValidationError

from api.serving import Serving, Status, Version

log = structlog.get_logger(__name__)


def forget(folder: Path, number: int) -> None:
    """A worker that does not come up any more has no model, whatever it had."""
    _serves(folder, number).unlink(missing_ok=True)


class Notice(BaseModel):
    """What the first worker serves, and what it knows of the registry."""

    status: Status
    version: Version | None
    from_cache: bool


class Board:
    """As worker `number` of so many sees it; the first, number 0, asks the registry for all."""

    def __init__(self, folder: Path, number: int, workers: int) -> None:
        self.number = number
        self.workers = workers
        self._folder = folder

    @property
    def leads(self) -> bool:
        return self.number == 0

    def tell(self, serving: Serving) -> None:
        """Of the first worker: what the others shall serve and say."""
        model = serving.model
        if model:
            self.serves()
        notice = Notice(
            status=serving.status,
            version=model.version if model else None,
            from_cache=bool(model and model.from_cache),
        )
        self._write("notice", notice.model_dump_json())

    def told(self) -> Notice | None:
        """What the first worker told last."""
        try:
            return Notice.model_validate_json((self._folder / "notice").read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def serves(self) -> None:
        """This worker has a model."""
        self._write(_serves(self._folder, self.number).name, str(os.getpid()))

    @property
    def all_serve(self) -> bool:
        """Whether every worker has a model, or had one before it was replaced."""
        return len(self.pids()) == self.workers

    @property
    def some_serve(self) -> bool:
        return bool(self.pids())

    def pids(self) -> list[int]:
        """The processes of the workers that have a model."""
        found = []
        for number in range(self.workers):
            with suppress(FileNotFoundError):
                found.append(int(_serves(self._folder, number).read_text("utf-8")))
        return found

    def _write(self, name: str, text: str) -> None:
        temporary = self._folder / f"{name}.new"  # each name is written by one worker alone
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self._folder / name)
        except OSError as error:
            log.warning("the other workers cannot be told", error=str(error))


def _serves(folder: Path, number: int) -> Path:
    return folder / f"serves-{number}"
