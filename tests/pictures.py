"""Image files for the tests: a small page in every format, and headers that promise too much."""

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PAPER, INK, PENCIL = 255, 0, 120


def page() -> NDArray[np.uint8]:
    """A small page, shape (24, 40), no symmetry in it: any turn or flip of it shows."""
    pixels = np.full((24, 40), PAPER, np.uint8)
    pixels[3:9, 4:20] = INK
    pixels[9:17, 4:9] = INK
    pixels[17:21, 22:36] = PENCIL
    return pixels


def encode(
    picture: Image.Image | NDArray[np.generic], image_format: str, **options: object
) -> bytes:
    """A picture as the bytes of a file."""
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(picture)
    stream = io.BytesIO()
    picture.save(stream, image_format, **options)
    return stream.getvalue()


def every_format() -> dict[str, bytes]:
    """The page in each format, and in those variants whose readers differ."""
    gray = Image.fromarray(page())
    files = {name: encode(gray, name) for name in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")}
    clear = gray.convert("RGBA")
    clear.putalpha(200)
    return files | {
        "PNG-RGBA": encode(clear, "PNG"),
        "PNG-palette": encode(gray.convert("P"), "PNG", transparency=0),
        "PNG-16": encode(page().astype(np.uint16) * 257, "PNG"),
        "TIFF-LZW": encode(gray, "TIFF", compression="tiff_lzw"),
        "TIFF-16": encode(page().astype(np.uint16) * 257, "TIFF"),
        "TIFF-float": encode(page().astype(np.float32), "TIFF"),
        "JPEG-progressive": encode(gray.convert("CMYK"), "JPEG", progressive=True),
        "JPEG-EXIF": encode(gray, "JPEG", exif=orientation(6)),
        "WEBP-lossless": encode(clear, "WEBP", lossless=True),
        "GIF-frames": encode(
            gray, "GIF", save_all=True, append_images=[Image.new("L", gray.size)], loop=0
        ),
    }


def scrawl(width: int, *, height: int = 40, seed: int = 0) -> NDArray[np.uint8]:
    """Strokes that mean nothing, of any width: what a random network reads something in."""
    rng = np.random.default_rng((seed, width, height))
    gray = np.full((height, width), 235, np.uint8)
    for left in range(4, width - 3, 7):
        top = int(rng.integers(2, height - 8))
        gray[top : top + int(rng.integers(3, height - top)), left : left + 3] = rng.integers(20, 90)
    return gray


def orientation(value: int) -> bytes:
    """EXIF data that says how a camera was held."""
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()


def promising(width: int, height: int) -> dict[str, bytes]:
    """Files of a few hundred bytes whose headers claim an image of this size."""
    jpeg = bytearray(encode(page(), "JPEG"))
    size = jpeg.index(b"\xff\xc0") + 5
    jpeg[size : size + 4] = struct.pack(">HH", height, width)
    # only the frames of an animation may be smaller than the whole
    webp = bytearray(
        encode(page(), "WEBP", save_all=True, append_images=[Image.new("L", (40, 24))])
    )
    webp[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    bitmap = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return {
        "PNG": png(struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), bytes(1000)),
        "JPEG": bytes(jpeg),
        "WEBP": bytes(webp),
        "TIFF": tiff(width, height, tile=(256, 256)),
        "BMP": b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + bitmap,
        "GIF": gif(width, height),
    }


def png(header: bytes, pixels: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG of these IHDR fields, further chunks and rows of pixels."""
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def gif(width: int, height: int) -> bytes:
    """A GIF whose frame is to be cleared afterwards, so that a reader prepares a clear one."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    control = b"\x21\xf9\x04" + bytes([2 << 2]) + bytes(4)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0)
    return screen + control + frame + b"\x02\x02\x44\x01\x00\x3b"


def tiff(width: int, height: int, *, tile: tuple[int, int], pixels: bytes = bytes(1000)) -> bytes:
    """A TIFF of one deflated tile."""
    packed = zlib.compress(pixels)
    tags = {256: width, 257: height, 258: 8, 259: 8, 262: 1, 322: tile[0], 323: tile[1]}
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags |= {324: start, 325: len(packed)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + packed
