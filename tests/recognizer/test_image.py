"""From bytes to gray pixels: every format and mode, and everything that is no image."""

import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pictures import encode, every_format, gif, orientation, page, png, promising, tiff
from recognizer import image
from recognizer.errors import (
    ImageError,
    ImageTooLargeError,
    UnreadableImageError,
    UnsupportedImageError,
)
from recognizer.image import LARGE, MAX_PIXELS, MOST_SCANS, START_OF_SCAN, decode

SERVICES = Path(__file__).parents[2] / "services"
GRAY = Image.fromarray(page())
BEST: dict[str, dict[str, object]] = {
    "WEBP": {"lossless": True, "exact": True},
    "JPEG": {"quality": 95},
}
LOSSY = 14  # gray levels that a JPEG or WebP of hard edges may be off


def black_and_white() -> NDArray[np.uint8]:
    return np.where(page() < 200, 0, 255).astype(np.uint8)


def coloured() -> Image.Image:
    """The page in colours whose luma is known: yellow paper, red and blue ink."""
    colours = np.empty((24, 40, 3), np.uint8)
    colours[page() == 255] = (255, 255, 0)
    colours[page() == 0] = (0, 0, 255)
    colours[page() == 120] = (255, 0, 0)
    return Image.fromarray(colours)


def luma() -> NDArray[np.uint8]:
    """ITU-R 601-2: 0.299 R + 0.587 G + 0.114 B."""
    expected = np.empty((24, 40), np.uint8)
    for gray, tone in ((255, 226), (0, 29), (120, 76)):
        expected[page() == gray] = tone
    return expected


def with_alpha(mode: str) -> Image.Image:
    """Black everywhere; it is the transparency that holds the page."""
    black = Image.new(mode, GRAY.size, 0)
    black.putalpha(Image.fromarray(255 - page()))
    return black


def clear_palette() -> Image.Image:
    """A palette whose entry for paper is black and fully transparent, ink half transparent."""
    index = np.select([page() == 255, page() == 0], [0, 1], 2).astype(np.uint8)
    image = Image.fromarray(index).convert("P")
    image.frombytes(index.tobytes())
    image.putpalette([0, 0, 0, 0, 0, 0, 120, 120, 120])
    return image


def turned(pixels: NDArray[np.uint8], value: int) -> NDArray[np.uint8]:
    """Pixels as a camera stores them that writes this orientation."""
    return {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.T,
        6: np.rot90(pixels),
        7: pixels[::-1, ::-1].T,
        8: np.rot90(pixels, -1),
    }[value]


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_gray_pixels_come_back_as_they_were(image_format: str) -> None:
    found = decode(encode(GRAY, image_format, **BEST.get(image_format, {})))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, page())


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP"])
def test_lossy_pixels_come_back_nearly_as_they_were(image_format: str) -> None:
    found = decode(encode(GRAY, image_format, quality=95))
    np.testing.assert_allclose(found.astype(int), page(), atol=LOSSY)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP", "GIF"])
def test_one_bit_images(image_format: str) -> None:
    found = decode(encode(Image.fromarray(black_and_white()).convert("1"), image_format))
    np.testing.assert_array_equal(found, black_and_white())


def test_one_bit_fax() -> None:
    bits = Image.fromarray(black_and_white()).convert("1")
    found = decode(encode(bits, "TIFF", compression="group4"))
    np.testing.assert_array_equal(found, black_and_white())


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_a_sample(bits: int) -> None:
    levels = (page() // 120 * ((1 << bits) - 1) // 2).astype(np.uint8)
    per_byte = 8 // bits
    packed = np.zeros((24, 40 // per_byte), np.uint8)
    for place in range(per_byte):
        packed |= levels[:, place::per_byte] << (8 - bits * (place + 1))
    rows = np.insert(packed, 0, 0, axis=1).tobytes()
    found = decode(png(struct.pack(">IIBBBBB", 40, 24, bits, 0, 0, 0, 0), rows))
    np.testing.assert_array_equal(found, levels * (255 // ((1 << bits) - 1)))


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_sixteen_bits_are_brought_down_to_eight(image_format: str) -> None:
    found = decode(encode(page().astype(np.uint16) * 257, image_format))
    np.testing.assert_array_equal(found, page())


def test_sixteen_bits_keep_their_scale() -> None:
    """A page without full black is not stretched to it."""
    found = decode(encode(np.full((9, 9), 51400, np.uint16), "PNG"))
    np.testing.assert_array_equal(found, np.full((9, 9), 200))


def test_twelve_bit_tiff_keeps_its_scale() -> None:
    samples = page().astype(np.uint16) * 16
    even, odd = samples[:, ::2], samples[:, 1::2]
    packed = np.stack((even >> 4, (even & 15) << 4 | odd >> 8, odd & 255), axis=-1).astype(np.uint8)
    tags = {256: 40, 257: 24, 258: 12, 259: 1, 262: 1, 273: 122, 278: 24, 279: packed.size}
    entries = b"".join(struct.pack("<HHII", t, 4, 1, v) for t, v in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    found = decode(head.ljust(122, b"\0") + packed.tobytes())
    np.testing.assert_allclose(found, page(), atol=1)


def test_sixteen_bit_tiff_in_either_byte_order() -> None:
    tags = {256: 40, 257: 24, 258: 16, 259: 1, 262: 1, 273: 122, 278: 24, 279: 40 * 24 * 2}
    for order, mark in (("<", b"II*\0"), (">", b"MM\0*")):
        entries = b"".join(struct.pack(f"{order}HHII", t, 4, 1, v) for t, v in tags.items())
        head = mark + struct.pack(f"{order}IH", 8, len(tags)) + entries + bytes(4)
        samples = (page().astype(np.uint16) * 257).astype(f"{order}u2").tobytes()
        file = head.ljust(122, b"\0") + samples
        np.testing.assert_array_equal(decode(file), page())


@pytest.mark.parametrize("scale", [1.0, 1 / 255, 1000.0])
def test_floating_point_tiff_is_stretched(scale: float) -> None:
    found = decode(encode(page().astype(np.float32) * np.float32(scale), "TIFF"))
    np.testing.assert_allclose(found.astype(int), page(), atol=1)


def test_thirty_two_bit_tiff_is_stretched() -> None:
    found = decode(encode(page().astype(np.int32) * 100_000 - 7_000_000, "TIFF"))
    np.testing.assert_allclose(found.astype(int), page(), atol=1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(value: float) -> None:
    samples = page().astype(np.float32)
    samples[0, 0] = value
    with pytest.raises(UnreadableImageError, match="not numbers"):
        decode(encode(samples, "TIFF"))


def test_samples_over_the_whole_range_of_floats() -> None:
    found = decode(encode(np.array([[-3e38, 3e38, 3e38]], np.float32), "TIFF"))
    np.testing.assert_array_equal(found, [[0, 255, 255]])


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP", "WEBP"])
def test_colours_become_their_luma(image_format: str) -> None:
    np.testing.assert_array_equal(
        decode(encode(coloured(), image_format, **BEST.get(image_format, {}))), luma()
    )


def test_coloured_jpeg() -> None:
    found = decode(encode(coloured(), "JPEG", quality=95, subsampling=0))
    np.testing.assert_allclose(found.astype(int), luma(), atol=LOSSY)


@pytest.mark.parametrize(
    ("image_format", "mode"),
    [("PNG", "LA"), ("PNG", "RGBA"), ("TIFF", "RGBA"), ("WEBP", "RGBA")],
)
def test_transparency_is_laid_over_white(image_format: str, mode: str) -> None:
    found = decode(encode(with_alpha(mode), image_format, **BEST.get(image_format, {})))
    np.testing.assert_array_equal(found, page())


def test_sixteen_bit_alpha_is_laid_over_white() -> None:
    alpha = (255 - page()).astype(np.uint16) * 257
    samples = np.stack([np.zeros_like(alpha), alpha], axis=-1).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    found = decode(png(struct.pack(">IIBBBBB", 40, 24, 16, 4, 0, 0, 0), rows))
    np.testing.assert_array_equal(found, page())


def test_palette() -> None:
    found = decode(encode(coloured().quantize(3), "PNG"))
    np.testing.assert_array_equal(found, luma())


@pytest.mark.parametrize("image_format", ["TIFF", "BMP", "GIF"])
def test_palette_in_other_formats(image_format: str) -> None:
    np.testing.assert_array_equal(decode(encode(coloured().quantize(3), image_format)), luma())


def test_transparent_colour_of_a_palette_is_paper() -> None:
    for image_format in ("PNG", "GIF"):
        found = decode(encode(clear_palette(), image_format, transparency=0))
        np.testing.assert_array_equal(found, page())


def test_palette_with_degrees_of_transparency() -> None:
    found = decode(encode(clear_palette(), "PNG", transparency=bytes([0, 128, 255])))
    expected = page().copy()
    expected[page() == 0] = 127
    np.testing.assert_allclose(found.astype(int), expected, atol=1)


def test_transparent_gray_of_a_png_is_paper() -> None:
    rows = np.insert(np.where(page() == 255, 7, page()).astype(np.uint8), 0, 0, axis=1).tobytes()
    header = struct.pack(">IIBBBBB", 40, 24, 8, 0, 0, 0, 0)
    found = decode(png(header, rows, (b"tRNS", struct.pack(">H", 7))))
    np.testing.assert_array_equal(found, page())


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_cmyk(image_format: str) -> None:
    cmyk = np.zeros((24, 40, 4), np.uint8)
    cmyk[..., 3] = 255 - page()
    found = decode(
        encode(Image.fromarray(cmyk, "CMYK"), image_format, **BEST.get(image_format, {}))
    )
    np.testing.assert_allclose(found.astype(int), page(), atol=LOSSY)


def test_lab_tiff_gives_its_lightness() -> None:
    flat = Image.new("L", GRAY.size, 128)
    found = decode(encode(Image.merge("LAB", (GRAY, flat, flat)), "TIFF"))
    np.testing.assert_array_equal(found, page())


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_exif_orientation_is_undone(image_format: str, value: int) -> None:
    stored = Image.fromarray(np.ascontiguousarray(turned(page(), value)))
    file = encode(stored, image_format, exif=orientation(value), **BEST.get(image_format, {}))
    atol = LOSSY if image_format == "JPEG" else 0
    np.testing.assert_allclose(decode(file).astype(int), page(), atol=atol)


@pytest.mark.parametrize("exif", [b"garbage", b"Exif\0\0MM\0\x2a\xff\xff\xff\xffjunk"])
@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "JPEG"])
def test_damaged_exif_does_not_cost_the_image(image_format: str, exif: bytes) -> None:
    found = decode(encode(GRAY, image_format, exif=exif, **BEST.get(image_format, {})))
    atol = LOSSY if image_format == "JPEG" else 0
    np.testing.assert_allclose(found.astype(int), page(), atol=atol)


@pytest.mark.parametrize("image_format", ["GIF", "TIFF", "WEBP", "PNG"])
def test_first_frame_is_read(image_format: str) -> None:
    others = [Image.new("L", GRAY.size, 90)]
    file = encode(
        GRAY, image_format, save_all=True, append_images=others, **BEST.get(image_format, {})
    )
    np.testing.assert_array_equal(decode(file), page())


def test_first_picture_of_a_telephone() -> None:
    """Telephones write JPEGs of several pictures."""
    file = encode(GRAY, "MPO", quality=95, save_all=True, append_images=[Image.new("L", (8, 8))])
    np.testing.assert_allclose(decode(file).astype(int), page(), atol=LOSSY)


def scanned(times: int) -> bytes:
    """A progressive JPEG whose last scan comes so often again; it is complete without them."""
    file = encode(GRAY, "JPEG", quality=95, progressive=True)
    return file[:-2] + times * file[file.rindex(START_OF_SCAN) : -2] + file[-2:]


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    """Each of them goes over all pixels, however few its bytes."""
    with pytest.raises(UnreadableImageError, match="more than 100 scans"):
        decode(scanned(MOST_SCANS))
    for readable in (scanned(20), *every_format().values()):
        assert decode(readable).size == page().size


def test_scans_are_told_from_what_looks_like_them() -> None:
    """Telephones append films to pictures."""
    film = 2 * MOST_SCANS * (START_OF_SCAN + b"film")
    np.testing.assert_allclose(decode(scanned(1) + film).astype(int), page(), atol=LOSSY)


def test_a_large_image_is_not_begun_for_nobody() -> None:
    file = encode(Image.new("1", (LARGE // 1000 + 1, 1000), 1), "PNG")
    turns: list[bool] = []

    def wanted() -> bool:
        turns.append(image._one_large.locked())
        return False

    with pytest.raises(UnreadableImageError, match="Nobody waits"):
        decode(file, wanted=wanted)
    assert turns == [True]  # asked after those before it, and no earlier
    assert decode(file).shape == (1000, LARGE // 1000 + 1)


def test_white_on_black_is_inverted() -> None:
    np.testing.assert_array_equal(decode(encode(255 - page(), "PNG")), page())
    blackboard = (60 + (255 - page().astype(int)) // 2).astype(np.uint8)
    np.testing.assert_array_equal(decode(encode(blackboard, "PNG")), 255 - blackboard)


@pytest.mark.parametrize("paper", [255, 140, 90])
def test_dark_ink_is_never_inverted(paper: int) -> None:
    dim = (page().astype(int) * paper // 255).astype(np.uint8)
    np.testing.assert_array_equal(decode(encode(dim, "PNG")), dim)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
def test_extreme_shapes(shape: tuple[int, int]) -> None:
    assert decode(encode(np.full(shape, 255, np.uint8), "PNG")).shape == shape


def test_empty_file() -> None:
    with pytest.raises(UnreadableImageError, match="empty"):
        decode(b"")


@pytest.mark.parametrize(
    "data",
    [b"x", b"Just some text.\n" * 20, b"%PDF-1.7\n", b"<svg/>", b"BM", bytes(500)],
    ids=["byte", "text", "pdf", "svg", "two letters", "zeros"],
)
def test_what_is_no_image(data: bytes) -> None:
    with pytest.raises(UnsupportedImageError, match="PNG, JPEG, WEBP, TIFF, BMP, GIF"):
        decode(data)


@pytest.mark.parametrize("image_format", ["PPM", "ICO", "TGA", "PCX"])
def test_a_format_that_only_pillow_reads(image_format: str) -> None:
    with pytest.raises(UnsupportedImageError):
        decode(encode(GRAY, image_format))


@pytest.mark.parametrize("name", every_format())
def test_truncated_file(name: str) -> None:
    file = every_format()[name]
    with pytest.raises(UnreadableImageError, match=r"cut off|cannot be read") as raised:
        decode(file[: len(file) // 2])
    assert "\n" not in str(raised.value)
    for length in range(1, min(len(file) // 2, 120)):
        with pytest.raises(ImageError):
            decode(file[:length])


def test_one_pixel_too_many() -> None:
    assert decode(encode(GRAY, "PNG"), max_pixels=960).shape == (24, 40)
    with pytest.raises(ImageTooLargeError, match=r"40 x 24 pixels; at most 0\.000959 million"):
        decode(encode(GRAY, "PNG"), max_pixels=959)


def test_a_higher_limit_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", MAX_PIXELS)  # and as it was afterwards
    wide = encode(Image.new("1", (60_000, 2_001), 1), "PNG")
    with pytest.raises(ImageTooLargeError):
        decode(wide)
    assert decode(wide, max_pixels=121_000_000).shape == (2_001, 60_000)


@pytest.mark.parametrize("name", promising(40_000, 40_000))
@pytest.mark.parametrize("side", [8_000, 40_000])
def test_header_that_claims_too_much(name: str, side: int) -> None:
    with pytest.raises(ImageTooLargeError, match=r"at most 50 million|than the 50 million"):
        decode(promising(side, side)[name])


def test_tile_larger_than_its_image() -> None:
    with pytest.raises(ImageTooLargeError, match="tiles"):
        decode(tiff(64, 64, tile=(20_000, 20_000)))
    tile = np.pad(page(), ((0, 40), (0, 24))).tobytes()
    np.testing.assert_array_equal(decode(tiff(40, 24, tile=(64, 64), pixels=tile)), page())


UNDER_A_LIMIT = """
import resource, sys, time
from pathlib import Path
from recognizer.errors import ImageTooLargeError
from recognizer.image import decode

files = [file.read_bytes() for file in map(Path, sys.argv[1:])]
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 200_000_000,) * 2)
for file in files:
    try:
        decode(file)
    except ImageTooLargeError:
        continue
    raise SystemExit("was read")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_huge_headers_are_refused_without_memory(tmp_path: Path) -> None:
    huge = promising(40_000, 40_000) | {"tile": tiff(9, 9, tile=(20_000, 20_000))}
    huge["GIF widest"] = gif(65_535, 65_535)
    for name, data in huge.items():
        (tmp_path / name).write_bytes(data)
    run_quietly(UNDER_A_LIMIT, *map(str, sorted(tmp_path.iterdir())))


def test_huge_headers_are_refused_at_once() -> None:
    started = time.monotonic()
    for data in promising(40_000, 40_000).values():
        with pytest.raises(ImageTooLargeError):
            decode(data)
    assert time.monotonic() - started < 2


ALL_AT_ONCE = """
import resource, sys, threading
from pathlib import Path
from recognizer.image import decode

file = Path(sys.argv[1]).read_bytes()
threads = [threading.Thread(target=decode, args=(file,)) for _ in range(int(sys.argv[2]))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts in kilobytes on Linux alone")
def test_large_images_are_unpacked_one_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    file.write_bytes(encode(Image.new("RGBA", (5_000, 4_000), (9, 9, 9, 99)), "PNG"))
    assert file.stat().st_size < 1_000_000

    def most(threads: int) -> int:
        done = subprocess.run(
            [sys.executable, "-c", ALL_AT_ONCE, str(file), str(threads)],
            capture_output=True,
            text=True,
            timeout=120,
            env={"PYTHONPATH": str(SERVICES)},
            check=True,
        )
        return int(done.stdout)

    # one takes 80 MB as it is and as much again while it is turned to gray
    assert most(4) < most(1) + 60_000


TURN = """
import sys, time
from pathlib import Path
from recognizer import image

image.take_turns(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
began = time.monotonic()
with image._turn(int(sys.argv[2])):
    time.sleep(0.5)
print(began, time.monotonic())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="turns are taken on Linux alone")
@pytest.mark.parametrize(("pixels", "apart"), [(image.HUGE + 1, True), (image.HUGE, False)])
def test_processes_unpack_huge_images_one_after_another(
    pixels: int, apart: bool, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", TURN, str(tmp_path / "turn"), str(pixels)]
    running = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(SERVICES)},
        )
        for _ in range(2)
    ]
    for each in running:
        assert each.stdout
        assert each.stdout.readline() == "ready\n"
    for each in running:
        assert each.stdin
        each.stdin.write("go\n")
        each.stdin.flush()
    spans = [each.communicate(timeout=60)[0].split() for each in running]
    began, ended = ([float(span[at]) for span in spans] for at in (0, 1))
    assert (max(ended) - min(began) > 0.95) == apart


QUIET = """
import sys
from pathlib import Path
from recognizer.image import decode

for file in map(Path, sys.argv[1:]):
    decode(file.read_bytes())
"""


def test_nothing_is_warned_of(tmp_path: Path) -> None:
    """Pillow warns of odd metadata; here a warning would end the program."""
    odd = {
        "exif.jpg": encode(GRAY, "JPEG", exif=b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x09\x01\x12"),
        "palette.png": encode(clear_palette(), "PNG", transparency=bytes([0, 128, 255])),
        "apng.png": png(
            struct.pack(">IIBBBBB", 40, 24, 8, 0, 0, 0, 0),
            np.insert(page(), 0, 0, axis=1).tobytes(),
            (b"acTL", struct.pack(">II", 0, 0)),
        ),
        "large.png": encode(Image.new("1", (49_000, 1_001)), "PNG"),
    }
    for name, data in odd.items():
        (tmp_path / name).write_bytes(data)
    run_quietly(QUIET, *map(str, tmp_path.iterdir()))


def run_quietly(program: str, *arguments: str) -> None:
    """Run a program with warnings as errors; it must end well and say nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(SERVICES)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@settings(max_examples=400, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(every_format())),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)), max_size=8
    ),
    kept=st.floats(0, 1),
)
def test_a_damaged_file_only_ever_raises_image_errors(
    name: str, changes: list[tuple[float, bytes]], kept: float
) -> None:
    file = bytearray(every_format()[name])
    for place, new in changes:
        # half of them in the first bytes: that is where headers are
        start = int(place * 2 * len(file)) if place < 0.5 else int((place - 0.5) * 2 * 64)
        file[start : start + len(new)] = new
    try:
        found = decode(
            bytes(file[: round(kept * len(file))] if kept > 0.5 else file), max_pixels=10**6
        )
    except ImageError:
        return
    assert found.dtype == np.uint8
    assert found.ndim == 2
