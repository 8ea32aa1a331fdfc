"""Everything that can go wrong while a bundle is loaded or an image is read."""

from pathlib import Path


class RecognizerError(Exception):
    """Base of every error this package raises on purpose."""


class ImageError(RecognizerError):
    """The bytes given cannot be read as an image of handwriting."""


class UnreadableImageError(ImageError):
    """A format we read, but broken, truncated or empty."""


class UnsupportedImageError(ImageError):
    """Not one of the formats in `recognizer.image.FORMATS`."""


class ImageTooLargeError(ImageError):
    """More pixels than the limit allows."""


class ReadingError(RecognizerError):
    """A reading was asked for in a way this model does not offer."""


class BundleError(RecognizerError):
    """A bundle that must not be served. Names the file and, where it has one, the field."""

    def __init__(self, file: Path | str, problem: str, *, field: str | None = None) -> None:
        self.file = str(file)
        self.field = field
        where = f"{self.file}: {field}" if field else self.file
        super().__init__(f"{where}: {problem}")


class DamagedError(BundleError):
    """Its files are not those that were sealed: one is gone, or is another.

    Of any other `BundleError` the files may be good, and the machine short of something.
    """
