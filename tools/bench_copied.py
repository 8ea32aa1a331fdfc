"""Measure a bundle on whole pages on which people copied a text that is known.

`python -m tools.bench_copied FOLDER --text NAME=FILE` reads every image below FOLDER whose name
holds NAME, as the API reads a page, and compares all of it with the text in FILE. So the finding of
lines counts too, and what people left out or copied wrongly counts as errors. Line ends are spaces,
and curly quotes straight ones: nobody wrote down which of them each person made. Prints Markdown.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "services"))

import numpy as np  # noqa: E402  # after the path the others are found by

from recognizer import image  # noqa: E402
from recognizer.alphabet import normalise  # noqa: E402
from recognizer.manifest import Decoder  # noqa: E402
from recognizer.recognizer import Recognizer  # noqa: E402
from trainer.bootstrap import STARTER_BUNDLE  # noqa: E402
from trainer.metrics import cer_interval, score  # noqa: E402

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
MAX_PIXELS = 100_000_000
STRAIGHT = str.maketrans("\u2019\u2018\u201c\u201d", "''\"\"")

Reader = Callable[[Path], str]


def pages(folder: Path, texts: dict[str, str]) -> Iterator[tuple[Path, str]]:
    """Each image and what was to be copied on it."""
    for file in sorted(folder.rglob("*")):
        name = next((name for name in texts if name in file.name), None)
        if name is not None and file.suffix.lower() in SUFFIXES:
            yield file, texts[name]


def plain(text: str) -> str:
    return normalise(" ".join(text.translate(STRAIGHT).split()))


def reader(recognizer: Recognizer, decoder: Decoder) -> Reader:
    def read(file: Path) -> str:
        gray = image.decode(file.read_bytes(), max_pixels=MAX_PIXELS)
        (lines,) = recognizer.read_any([gray], level="page", decoder=decoder)
        return " ".join(line.text for line in lines)

    return read


def tesseract(file: Path) -> str:
    command = ["tesseract", str(file), "stdout", "-l", "eng"]
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=300, env=environment
    ).stdout


def row(name: str, decoder: str, read: Reader, found: Sequence[tuple[Path, str]]) -> str:
    """What one reader makes of all pages; a page is a document of its own."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        texts = list(pool.map(read, (file for file, _ in found)))
    pairs = [(truth, plain(text)) for (_, truth), text in zip(found, texts, strict=True)]
    scores = score(pairs)
    interval = cer_interval(pairs, [file.name for file, _ in found])
    middle = np.median([score([pair]).cer for pair in pairs])
    return (
        f"| {name} | {decoder} | {scores.cer:.1%} | {interval.low:.1%} to {interval.high:.1%} "
        f"| {middle:.1%} | {scores.wer:.1%} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="images of whole pages, in any folders below")
    parser.add_argument("--text", action="append", required=True, help="NAME=FILE; repeat it")
    parser.add_argument("--bundle", type=Path, default=STARTER_BUNDLE, help="default: the starter")
    parser.add_argument("--decoder", action="append", help="repeat it; default: all it has")
    parser.add_argument("--limit", type=int, help="at most this many pages")
    parser.add_argument("--tesseract", action="store_true", help="read them with Tesseract too")
    options = parser.parse_args()
    texts = {}
    for each in options.text:
        name, _, file = each.partition("=")
        texts[name] = plain(Path(file).read_text("utf-8"))
    found = list(pages(options.folder, texts))[: options.limit]
    if not found:
        parser.error(f"no image below {options.folder} has {' or '.join(texts)} in its name")
    recognizer = Recognizer.load(options.bundle, threads=1)
    print(f"{len(found)} pages, {sum(len(truth) for _, truth in found)} characters\n")
    print("| reader | decoder | CER | 95 % interval | median page | WER |")
    print("| --- | --- | --- | --- | --- | --- |")
    name = options.bundle.name
    for decoder in options.decoder or recognizer.decoders:
        print(row(name, decoder, reader(recognizer, decoder), found), flush=True)
    if options.tesseract:
        print(row("Tesseract", "its own", tesseract, found))


if __name__ == "__main__":
    main()
