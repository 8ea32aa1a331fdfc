"""A model version as a directory of data: checked when it is read, sealed when it is written."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from recognizer.alphabet import Alphabet
from recognizer.errors import BundleError, DamagedError
from recognizer.manifest import FORMAT, NAME, NETWORK, Manifest


@dataclass(frozen=True)
class Bundle:
    """A directory whose manifest is valid and whose files have the digests it lists."""

    path: Path
    manifest: Manifest

    @classmethod
    def load(cls, path: Path) -> "Bundle":
        """Read and check a bundle.

        Raises:
            BundleError: naming the file, and the field where it has one. Of its subclass
                `DamagedError` where the files are not those that were sealed.
        """
        bundle = cls(path, read_manifest(path / NAME))
        for name, expected in bundle.manifest.files.items():
            file = path / name
            try:
                if not file.is_file():
                    raise DamagedError(file, f"is listed in {NAME} but is not there")
                found = digest(file)
            except OSError as error:
                raise BundleError(file, f"cannot be read: {error.strerror}") from error
            if found != expected:
                raise DamagedError(
                    file, f"does not have the digest {NAME} lists: damaged or changed"
                )
        return bundle

    @cached_property
    def alphabet(self) -> Alphabet:
        return Alphabet(self.manifest.alphabet, self.manifest.blank)

    @property
    def network(self) -> Path:
        return self.path / NETWORK


def read_manifest(file: Path) -> Manifest:
    """Read `recognizer.json` alone. Raises `BundleError`."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DamagedError(file, "is not there: not a bundle") from None
    except UnicodeDecodeError as error:
        raise DamagedError(file, f"cannot be read: {error}") from error
    except OSError as error:
        raise BundleError(file, f"cannot be read: {error}") from error
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedError(file, f"is not JSON: {error}") from error
    # said first: a newer format would otherwise show as a list of odd fields
    version = found.get("format") if isinstance(found, dict) else None
    if isinstance(version, int) and version != FORMAT:
        raise BundleError(file, f"is {version}; this program reads format {FORMAT}", field="format")
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or None
        raise DamagedError(file, first["msg"], field=field) from None


def seal(path: Path, manifest: Manifest) -> Bundle:
    """Write `recognizer.json` with the digest of every other file below `path`.

    Args:
        path: the directory, holding all its other files already.
        manifest: everything but `files`, which is made anew.

    Raises:
        BundleError: the directory does not make a valid bundle.
    """
    files = {
        file.relative_to(path).as_posix(): digest(file)
        for file in sorted(path.rglob("*"))
        if file.is_file() and file != path / NAME
    }
    sealed = manifest.model_copy(update={"files": files})
    (path / NAME).write_text(
        json.dumps(sealed.model_dump(exclude_none=True), ensure_ascii=False, indent=1) + "\n",
        encoding="utf-8",
    )
    return Bundle.load(path)


def digest(file: Path) -> str:
    """SHA-256 of a file, as manifests write it."""
    with file.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
