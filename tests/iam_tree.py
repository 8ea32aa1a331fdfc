"""A tiny IAM database, in its native layout, for the tests of what reads it."""

import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

LINES: Mapping[str, Sequence[str]] = {
    "a01-000u-00": ("A", "MOVE", "to", "stop", "Mr.", "Gaitskell", "from"),
    "a01-000u-01": ("nominating", "any", "more", "M Ps", "."),
    "a01-003x-00": ("Though", "they", "may"),
    "b02-010-00": ("gather", "some"),
}

WORDS: Mapping[str, str] = {
    f"{line}-{place:02}": word for line, words in LINES.items() for place, word in enumerate(words)
}

_WORDS_HEAD = """\
#--- words.txt ---------------------------------------------------------------#
#
# format: a01-000u-00-00 ok 154 1 408 768 27 51 AT A
#
"""
_LINES_HEAD = _WORDS_HEAD.replace("words.txt", "lines.txt")


def word_row(entry: str, text: str, state: str = "ok") -> str:
    return f"{entry} {state} 154 408 768 27 51 AT {text}\n"


def line_row(entry: str, words: Sequence[str], state: str = "ok") -> str:
    return f"{entry} {state} 154 19 408 746 1661 89 {'|'.join(words)}\n"


def write_words_index(folder: Path, words: Mapping[str, str] = WORDS, extra: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "words.txt"
    index.write_text(
        _WORDS_HEAD + "".join(word_row(*item) for item in words.items()) + extra, encoding="utf-8"
    )
    return index


def write_lines_index(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "lines.txt"
    index.write_text(
        _LINES_HEAD + "".join(line_row(*item) for item in LINES.items()), encoding="utf-8"
    )
    return index


def image_path(images: Path, entry: str) -> Path:
    series, form = entry.split("-")[:2]
    return images / series / f"{series}-{form}" / f"{entry}.png"


def draw(file: Path, text: str) -> None:
    font = ImageFont.load_default(size=14)
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (round(right - left) + 8, round(bottom - top) + 8), 235)
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, fill=20, font=font)
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file)


def draw_words(images: Path, words: Mapping[str, str] = WORDS) -> Path:
    for entry, text in words.items():
        draw(image_path(images, entry), text)
    return images


def draw_lines(images: Path) -> Path:
    for entry, words in LINES.items():
        draw(image_path(images, entry), " ".join(words))
    return images


def tar(archive: Path, folder: Path, inside: str = ".") -> Path:
    with tarfile.open(archive, "w:gz") as tape:
        tape.add(folder, arcname=inside)
    return archive


def tutorial_zip(archive: Path, scratch: Path) -> Path:
    """As the Keras handwriting tutorial has it: IAM_Words/words.tgz and IAM_Words/words.txt."""
    index = write_words_index(scratch)
    images = tar(scratch / "words.tgz", draw_words(scratch / "images"))
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(images, "IAM_Words/words.tgz")
        packed.write(index, "IAM_Words/words.txt")
        packed.writestr("__MACOSX/IAM_Words/._words.tgz", b"not an archive")
    return archive
