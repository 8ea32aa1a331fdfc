"""From the bytes of an image file to gray pixels: dark ink on light paper."""

import contextlib
import io
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from recognizer.errors import (
    ImageError,
    ImageTooLargeError,
    UnreadableImageError,
    UnsupportedImageError,
)
from recognizer.levels import percentiles

Gray = NDArray[np.uint8]
"""Gray image, shape (height, width), 0 black to 255 white."""

LARGE = 4_000_000
"""Pixels above which a process unpacks images one at a time."""
HUGE = 16_000_000
"""Pixels above which all processes do that together (`take_turns`): more than an A4 page at 400
dpi has."""

# A kilobyte can hold 50 million pixels of one colour, and unpacked they take up to thirteen bytes
# each: a few such files at once would fill the memory of a container.
_one_large = threading.Lock()
_turns: Path | None = None

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
MAX_PIXELS = 50_000_000

# The header of a GIF can make Pillow allocate a frame before its size is known here, so its own
# limit, one for the process, stands beside the caller's. It refuses twice as many pixels.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

# What Pillow warns of (odd metadata, mostly) is no fault of the pixels, and what is one raises.
warnings.filterwarnings("ignore", module=r"PIL\.")

# First bytes of what is one of FORMATS, however damaged the rest. (Two letters say little: no BMP.)
JPEG = b"\xff\xd8\xff"
SIGNATURES = (b"\x89PNG\r\n\x1a\n", JPEG, b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")

MOST_SCANS = 100
"""Of a JPEG, as libtiff has it for those in a TIFF. Progressive ones have about ten, each of which
goes over all pixels, and a scan that changes nothing takes a dozen bytes."""

START_OF_SCAN = b"\xff\xda"
# with the length and the number of components that follow it, without which no scan is read
_SCANS = tuple(START_OF_SCAN + bytes((0, 6 + 2 * count, count)) for count in range(1, 5))

BITS_PER_SAMPLE = 258
TILE_WIDTH, TILE_LENGTH = 322, 323  # tags of a TIFF


def decode(
    data: bytes, *, max_pixels: int = MAX_PIXELS, wanted: Callable[[], bool] = lambda: True
) -> Gray:
    """Read an image file into gray pixels, dark ink on light paper.

    Reads the first frame, turns it upright by its EXIF orientation, lays transparency over
    white, brings 16-bit samples down to 8 and inverts an image whose paper is dark.

    Args:
        data: the whole file, in one of `FORMATS`.
        max_pixels: largest width times height; checked from the header, before any pixel
            is decoded.
        wanted: asked when a large image has had to wait for others; if false, it is not decoded.

    Returns:
        `Gray`, shape (height, width).

    Raises:
        UnsupportedImageError: the bytes are in no format we read.
        ImageTooLargeError: more than `max_pixels`.
        UnreadableImageError: empty, truncated or damaged, a JPEG of more than `MOST_SCANS`, or
            not wanted any more.
    """
    if not data:
        raise UnreadableImageError("The image is empty: 0 bytes were received.")
    if data.startswith(JPEG) and _scans(data) > MOST_SCANS:
        raise UnreadableImageError(
            f"The JPEG has more than {MOST_SCANS} scans; progressive ones have about ten."
        )
    if max_pixels > (Image.MAX_IMAGE_PIXELS or 0):
        Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        if data.startswith(SIGNATURES) or data[8:12] == b"WEBP":
            raise UnreadableImageError("The image is damaged or cut off in its header.") from None
        raise UnsupportedImageError(
            f"Not an image in a format we read ({', '.join(FORMATS)})."
        ) from None
    except Image.DecompressionBombError:
        raise ImageTooLargeError(
            f"The image has more than the {max_pixels / 1e6:g} million pixels that are read here."
        ) from None
    except Exception as error:
        # Pillow's readers raise nearly any exception on a damaged header
        raise UnreadableImageError(f"The image cannot be read: {_reason(error)}") from error
    try:
        with image:
            return _checked(image, max_pixels, wanted)
    except ImageError:
        raise
    except Exception as error:
        reason = _reason(error)
        # whoever keeps the error would keep the pixels, too, by the frames it came through
        traceback.clear_frames(error.__traceback__)
        raise UnreadableImageError(f"The image is damaged or cut off: {reason}") from None
    finally:
        del image


def _scans(jpeg: bytes) -> int:
    """At least as many as the first picture of a file has: those of thumbnails count too.

    Compressed pixels hold no marker, as their 0xFF is followed by a 0.
    """
    if jpeg.count(START_OF_SCAN) <= MOST_SCANS:  # nearly all: the others are looked at four times
        return 0
    return sum(map(jpeg.count, _SCANS))


def _checked(image: Image.Image, max_pixels: int, wanted: Callable[[], bool]) -> Gray:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"The image is {width} x {height} pixels; "
            f"at most {max_pixels / 1e6:g} million are read here."
        )
    if _tile(image) > max_pixels:
        raise ImageTooLargeError("The tiles of this TIFF are too large to be read here.")
    with _turn(width * height):
        if not wanted():
            raise UnreadableImageError("Nobody waits for this image any more.")
        return _unpacked(image)


def take_turns(file: Path | None) -> None:
    """Let all processes that name this file unpack huge images one after another.

    Whoever dies meanwhile gives its turn back. For systems with `fcntl`; None ends it.
    """
    global _turns
    _turns = file


@contextlib.contextmanager
def _turn(pixels: int) -> Iterator[None]:
    if pixels <= LARGE:
        yield
        return
    with _one_large, contextlib.ExitStack() as held:
        if _turns is not None and pixels > HUGE:
            import fcntl

            with contextlib.suppress(OSError):  # a folder that was swept away refuses no image
                # closing the file gives the turn back
                fcntl.flock(held.enter_context(_turns.open("wb")), fcntl.LOCK_EX)
        yield


def _unpacked(image: Image.Image) -> Gray:
    try:
        image.load()
        with contextlib.suppress(Exception):  # damaged EXIF; the pixels may be sound
            ImageOps.exif_transpose(image, in_place=True)
        return _paper_is_light(_gray(image))
    finally:
        image.close()  # its memory goes before the next large one takes as much


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _tile(image: Image.Image) -> int:
    """Pixels of one tile of a TIFF, which is unpacked whole; it may exceed the image."""
    tags = getattr(image, "tag_v2", {})
    return int(tags.get(TILE_WIDTH, 0)) * int(tags.get(TILE_LENGTH, 0))


def _gray(image: Image.Image) -> Gray:
    if image.mode.startswith(("I", "F")):
        white = _white(image) if image.mode.startswith("I") else None
        return _to_eight_bits(np.asarray(image), white)
    if image.mode == "LAB":
        image = image.getchannel("L")  # Pillow converts it to nothing else
    if not image.has_transparency_data:
        return np.asarray(image.convert("L"), dtype=np.uint8)
    if image.mode != "RGBA":  # else it would be copied
        image = image.convert("RGBA")
    paper = Image.new("L", image.size, 255)
    paper.paste(image.convert("L"), mask=image.getchannel("A"))
    return np.asarray(paper, dtype=np.uint8)


def _white(image: Image.Image) -> float:
    """The lightest sample that a file of whole numbers can hold: some TIFFs have 12 bits."""
    bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (16,))
    return 2.0 ** min(int(bits[0]), 16) - 1


def _to_eight_bits(pixels: NDArray[np.generic], white: float | None) -> Gray:
    """16-bit, 32-bit or floating-point samples to 8 bits.

    A file of up to 16 bits keeps its scale, from 0 to `white`. Others have no agreed white: they
    are stretched from their darkest to their lightest sample.

    Raises:
        ValueError: samples that are not numbers.
    """
    values = pixels.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite((low, high)).all():
        raise ValueError("it holds samples that are not numbers")
    if white and low >= 0 and 255 < high <= white:
        low, high = 0.0, white
    elif low >= 0 and high <= 255 and high > 1:
        low, high = 0.0, 255.0
    if low == high:
        return np.full(values.shape, 255, np.uint8)
    # in place, as this may be half a gigabyte; scaled first, as the difference may overflow
    factor = 255.0 / (high - low)
    values *= np.float32(factor)
    values -= np.float32(low * factor)
    np.clip(np.rint(values, out=values), 0, 255, out=values)
    gray: Gray = values.astype(np.uint8)
    return gray


def _paper_is_light(gray: Gray) -> Gray:
    """Invert white-on-black: most of a written image is paper, so the median is its tone."""
    darkest, paper, lightest = percentiles(gray[:: 1 + gray.shape[0] // 256], (1, 50, 99))
    dark_paper = paper < 128 and paper - darkest < lightest - paper
    return np.invert(gray) if dark_paper else gray
