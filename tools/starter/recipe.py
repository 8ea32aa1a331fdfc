"""What the starter learns from, as declared in a file, and the commands that make it of that."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from trainer.datasets.base import DatasetError
from trainer.datasets.catalogue import OPEN, state_of
from trainer.datasets.lines import INDEX
from trainer.datasets.sources import EMNIST, SOURCES

DECLARED = Path(__file__).parent / "recipe.toml"

Command = tuple[str, ...]
"""What stands behind `python -m`."""


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Made(_Declared):
    """Samples made while training: how many there are, and their weight in an epoch."""

    lines: PositiveInt
    weight: PositiveFloat


class Words(_Declared):
    """The sets whose words are cut out, and the weight of all these words."""

    sets: tuple[str, ...] = Field(min_length=1)
    weight: PositiveFloat


class StarterRecipe(_Declared):
    """See `recipe.toml`, whose comments say what each of these is."""

    minutes: PositiveFloat
    lines: Mapping[str, PositiveFloat]
    words: Words
    made: Mapping[Literal["synthetic", "emnist"], Made] = {}
    fit: Mapping[str, str | int | float]

    @classmethod
    def load(cls, file: Path) -> "StarterRecipe":
        """Raises `DatasetError` for what is no such file; the message says why."""
        try:
            found = cls.model_validate(tomllib.loads(file.read_text("utf-8")))
        except OSError as error:
            raise DatasetError(f"Cannot read '{file}': {error.strerror or error}.") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise DatasetError(f"'{file}', {place}: {first['msg']}.") from error
        except ValueError as error:  # TOML's, and that of what is no UTF-8
            raise DatasetError(f"'{file}' is no TOML file: {error}.") from error
        unknown = ", ".join(sorted({*found.lines} - {*OPEN}))
        if unknown:
            raise DatasetError(f"'{file}', lines: `trainer fetch` knows no {unknown}.")
        missing = ", ".join(sorted({*found.words.sets} - {*found.lines}))
        if missing:
            raise DatasetError(f"'{file}', words.sets: {missing} is not among the lines.")
        return found


@dataclass(frozen=True)
class Workplace:
    """Folders of one making: what is fetched lies in `data`, all else in `folder`."""

    data: Path
    folder: Path

    @property
    def words(self) -> Path:
        return self.folder / "words"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    def packed(self, name: str) -> Path:
        return self.folder / "lines" / name

    def fetching(self, recipe: StarterRecipe) -> list[Command]:
        """Of those not at hand: what is there, by whatever way it came, is taken as it is."""
        names = [*recipe.lines, *({EMNIST.name} & recipe.made.keys())]
        return [
            ("trainer", "fetch", name)
            for name in names
            if state_of(SOURCES[name], self.data) != "yes"
        ]

    def cutting(self, recipe: StarterRecipe, finder: Path) -> list[tuple[Command, Path]]:
        """Lines out of pages, then words out of lines; of what is not cut yet.

        Args:
            finder: the bundle that finds the words.

        Returns:
            Commands that write into `part` of a folder, and that folder.
        """
        commands: list[tuple[Command, Path]] = []
        for name in recipe.lines:
            folder = self.packed(name)
            if not whole(folder):
                commands.append((("trainer", "pack", _path(part(folder)), "-d", name), folder))
        if not whole(self.words):
            sources = [f"lines:{_path(self.packed(name))}" for name in recipe.words.sets]
            target = _path(part(self.words))
            found = ("trainer", "words", target, *_named(sources), "-m", _path(finder))
            commands.append((found, self.words))
        return commands

    def training(
        self,
        recipe: StarterRecipe,
        *,
        minutes: float,
        fonts: Path | None,
        start: Path | None,
        bfloat16: bool,
        resume: bool,
    ) -> Command:
        """The one training.

        Args:
            start: the bundle to go on from; None: random weights.
            resume: go on from the checkpoint that is there.
        """
        sources = [
            *(
                f"lines:{_path(self.packed(name))}@{weight:g}"
                for name, weight in recipe.lines.items()
            ),
            f"lines:{_path(self.words)}@{recipe.words.weight:g}",
            *(f"{source}@{made.weight:g}" for source, made in self._made(recipe, fonts)),
        ]
        options = [word for key, value in recipe.fit.items() for word in (f"--{key}", str(value))]
        command = ["trainer", "fit", _path(self.run), *_named(sources), *options]
        command += ["--minutes", f"{minutes:g}"]
        command += ["--start", _path(start)] if start and not resume else []
        command += ["--bfloat16"] if bfloat16 else []
        command += ["--resume"] if resume else []
        return tuple(command)

    def exporting(
        self, recipe: StarterRecipe, *, fonts: Path | None, history: str, output: Path
    ) -> Command:
        """The bundle of the checkpoint, with the test splits read and the card written."""
        sources = [*recipe.lines, *(source for source, _ in self._made(recipe, fonts))]
        command = ("tools.starter", "export", _path(self.run), *_named(sources))
        said = ("--words", _path(self.words), "--history", history, "--output", _path(output))
        return (*command, *said)

    def _made(self, recipe: StarterRecipe, fonts: Path | None) -> list[tuple[str, Made]]:
        """What is made while training, as --dataset has it."""
        sources = []
        for name, made in recipe.made.items():
            if name == EMNIST.name:
                source = f"{name}:{_path(self.data / name)}:{made.lines}"
            else:
                source = f"{name}:{made.lines}" + (f":{_path(fonts)}" if fonts else "")
            sources.append((source, made))
        return sources


def whole(folder: Path) -> bool:
    """Whether lines or words were written there to their end."""
    return (folder / INDEX).is_file()


def part(folder: Path) -> Path:
    """Where it is written until it is whole."""
    return folder.with_name(f"{folder.name}.part")


def _named(sources: list[str]) -> list[str]:
    return [word for source in sources for word in ("-d", source)]


def _path(path: Path) -> str:
    """From here where it lies below, so that commands read well."""
    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near
