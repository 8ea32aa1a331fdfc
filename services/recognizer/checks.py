"""What a bundle has to get right before it reads for anybody."""

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer import image
from recognizer.errors import BundleError, ImageError
from recognizer.image import Gray
from recognizer.manifest import Golden
from recognizer.prepare import Prepared, prepare
from recognizer.session import reason_of

if TYPE_CHECKING:
    from recognizer.recognizer import Recognizer

# Another processor rounds differently; a broken network reads nothing like the golden text.
LEAST_LIKENESS = 0.9
BLANK_PAGE = (96, 160)
"""Rows and columns: quick to look at, and no size that a detector would be made for alone."""


def check(recognizer: "Recognizer") -> None:
    """See `Recognizer.check`."""
    images = [_read_as_expected(recognizer, golden) for golden in recognizer.manifest.golden]
    # one is enough to see that nothing raises, and the narrowest takes the least time
    _reads_in_every_way(recognizer, min(images, key=lambda gray: gray.shape[1]))


def _read_as_expected(recognizer: "Recognizer", golden: Golden) -> Gray:
    """The golden image. Raises `BundleError`."""
    file = recognizer.bundle.path / golden.image
    try:
        gray = image.decode(file.read_bytes())
    except (ImageError, OSError) as error:
        raise BundleError(file, f"cannot be read: {error}") from error
    with _blaming(recognizer.bundle.network, file.name):
        text = recognizer.read([gray])[0].text
    if SequenceMatcher(None, text, golden.text, autojunk=False).ratio() < LEAST_LIKENESS:
        raise BundleError(file, f"was read as {text!r}, expected {golden.text!r}")
    return gray


def _reads_in_every_way(recognizer: "Recognizer", gray: Gray) -> None:
    """As requests have it: in a batch, of any width, with each decoder, after a look for lines."""
    bundle, manifest = recognizer.bundle, recognizer.manifest
    ready = prepare(gray, manifest.input)
    with _blaming(bundle.network, "two images at a time"):
        log_probs, _ = recognizer.infer([ready, ready])
    spec = manifest.input
    widest = np.zeros((spec.height, spec.buckets[-1]), np.float32)
    with _blaming(bundle.network, "the widest image"):
        recognizer.infer([Prepared(widest, scale=1.0, left=spec.margin)])
    texts = {"beam": manifest.language, "lexicon": manifest.lexicon}
    for decoder in recognizer.decoders:
        known = texts.get(decoder)
        file = bundle.path / known.file if known else bundle.network
        with _blaming(file, f"the decoder {decoder}"):
            recognizer.interpret(log_probs, ready, width=gray.shape[1], decoder=decoder)
    if manifest.detector:
        with _blaming(bundle.path / manifest.detector, "a blank page"):
            recognizer.lines(np.full(BLANK_PAGE, 255, np.uint8))


@contextmanager
def _blaming(file: Path, what: str) -> Iterator[None]:
    """Any failure meanwhile is the file's: a `BundleError`."""
    try:
        yield
    except BundleError:
        raise
    except Exception as error:
        raise BundleError(file, f"fails on {what}: {reason_of(error)}") from error
