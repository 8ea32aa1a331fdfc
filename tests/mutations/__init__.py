"""Image files that are wrong in ways a parser meets: one for each number, always the same.

A format's module takes a sound file apart, changes some of its parts and puts them together
again with checksums, lengths and offsets that fit or do not. Bytes changed at random mostly fail
at the first check; these get past it.
"""

import io
import random
from collections.abc import Callable
from functools import cache

from PIL import Image

from mutations import bmp, gif, jpeg, png, tiff, webp
from pictures import encode, every_format, page, scrawl

Rng = random.Random
Mutate = Callable[[bytes, Rng], bytes]

FORMATS: dict[str, Mutate] = {
    "PNG": png.mutate,
    "JPEG": jpeg.mutate,
    "TIFF": tiff.mutate,
    "WEBP": webp.mutate,
    "GIF": gif.mutate,
    "BMP": bmp.mutate,
}


def mutant(number: int) -> tuple[str, bytes]:
    """The wrong file of this number, and what it was made from."""
    rng = Rng(number)
    image_format = rng.choice(list(FORMATS))
    name, file = rng.choice([(n, f) for n, f in _sound() if n.startswith(image_format)])
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        try:
            file = FORMATS[image_format](file, rng)
        except (ValueError, IndexError, KeyError, OverflowError):
            break  # it is too damaged to be taken apart again
    if rng.random() < 0.15:
        file = _blind(file, rng)
    return name, file


def _blind(file: bytes, rng: Rng) -> bytes:
    """What happens to files on the way: bytes changed, cut off, lost, or of another file."""
    changed = bytearray(file)
    kind = rng.randrange(4)
    if kind == 0:
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    elif kind == 1:
        del changed[rng.randrange(1, len(changed)) :]
    elif kind == 2:
        start = rng.randrange(len(changed))
        del changed[start : start + rng.randint(1, 40)]
    else:
        _, other = rng.choice(_sound())
        start = rng.randrange(len(changed))
        changed[start:] = other[rng.randrange(len(other)) :]
    return bytes(changed) or b"\0"


@cache
def _sound() -> list[tuple[str, bytes]]:
    """Sound files in every format, and in variants with parts that the plain ones lack."""
    gray = Image.fromarray(page())
    line = Image.fromarray(scrawl(300))
    frames = [gray.rotate(90 * turn) for turn in range(1, 4)]
    colour = line.convert("RGB")
    palette = line.quantize(7)
    files = every_format() | {
        "PNG-line": encode(line, "PNG"),
        "PNG-frames": encode(gray, "PNG", save_all=True, append_images=frames),
        "PNG-one-bit": encode(line.convert("1"), "PNG", dpi=(300, 300)),
        "JPEG-line": encode(colour, "JPEG", quality=60, dpi=(300, 300)),
        "JPEG-restart": encode(colour, "JPEG", restart_marker_rows=1),
        "JPEG-progressive-line": encode(colour, "JPEG", progressive=True),
        "WEBP-line": encode(colour, "WEBP"),
        "WEBP-frames": encode(gray, "WEBP", save_all=True, append_images=frames),
        "GIF-line": encode(palette, "GIF", transparency=2),
        "GIF-interlaced": encode(palette, "GIF", interlace=1),
        "BMP-line": encode(palette, "BMP"),
        "BMP-colour": encode(colour, "BMP"),
    }
    for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4"):
        picture = line.convert("1") if name == "group4" else colour
        files[f"TIFF-{name}"] = encode(picture, "TIFF", compression=name)
    files["TIFF-frames"] = encode(gray, "TIFF", save_all=True, append_images=frames)
    files["TIFF-tiles"] = _tiled()
    return sorted(files.items())


def _tiled() -> bytes:
    stream = io.BytesIO()
    tags = {322: 64, 323: 64}
    Image.new("L", (200, 100), 200).save(stream, "TIFF", compression="tiff_lzw", tiffinfo=tags)
    return stream.getvalue()
