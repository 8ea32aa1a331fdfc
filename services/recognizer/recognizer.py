"""A bundle at work: images in, readings out."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from recognizer import checks, decode
from recognizer.bands import Bands
from recognizer.beam import guided, prefix_beam
from recognizer.bundle import Bundle
from recognizer.decode import Labels, LogProbs, Span
from recognizer.detector import Network
from recognizer.errors import ReadingError
from recognizer.guides import guides_of
from recognizer.image import Gray
from recognizer.inference import Inference
from recognizer.manifest import DECODERS as DECODERS
from recognizer.manifest import Decoder as Decoder
from recognizer.manifest import Manifest
from recognizer.maps import Detector
from recognizer.page import FoundLine, cut_lines, find_lines, is_page, may_be_page
from recognizer.prepare import Prepared, prepare
from recognizer.reading import Alternative, Character, Reading, calibrated, mean_confidence

Level = Literal["auto", "word", "line"]
AskedLevel = Literal["auto", "word", "line", "page"]

MOST_ALTERNATIVES = 10
BEAM_WIDTH = 16
MOST_LINES = 256
"""Of several pages that are prepared at a time; those of one page are not divided."""


class Recognizer:
    """Reads images of words and lines with the network of one bundle. Safe to share by threads."""

    def __init__(self, bundle: Bundle, *, threads: int = 0, alone_threads: int = 0) -> None:
        """Open the network.

        Args:
            bundle: a checked bundle.
            threads: threads inside one inference; 0 lets onnxruntime choose.
            alone_threads: those inside one that has the machine to itself; where there are more
                of them than of the others, the network is opened a second time.

        Raises:
            BundleError: the network cannot be opened or has not the shape the manifest says;
                the language model or the lexicon is none.
        """
        self.bundle = bundle
        self._guides = guides_of(bundle)
        self._inference = Inference(bundle, threads=threads, alone_threads=alone_threads)
        detector = bundle.manifest.detector
        self._detector: Detector = Bands()
        if detector:
            self._detector = Network(bundle.path / detector, threads=alone_threads or threads)

    @classmethod
    def load(cls, path: Path, *, threads: int = 0, alone_threads: int = 0) -> "Recognizer":
        """Check a bundle, open its network and read its golden images. Raises `BundleError`."""
        recognizer = cls(Bundle.load(path), threads=threads, alone_threads=alone_threads)
        recognizer.check()
        return recognizer

    @property
    def manifest(self) -> Manifest:
        return self.bundle.manifest

    @property
    def decoders(self) -> tuple[Decoder, ...]:
        """What `read` offers: `lexicon` only where the bundle has one."""
        return tuple(each for each in DECODERS if each != "lexicon" or each in self._guides)

    @property
    def best_decoder(self) -> Decoder:
        """The one that reads with most of what the bundle knows of texts, and errs least."""
        known: tuple[Decoder, ...] = ("lexicon", "beam")
        return next((each for each in known if each in self._guides), "greedy")

    def check(self) -> None:
        """Read the golden images, one of them in every way that is offered.

        Raises:
            BundleError: one is not read as expected; or the network, what is known of texts or
                the detector fails. Names the file.
        """
        checks.check(self)

    def read(
        self,
        images: Sequence[Gray],
        *,
        level: Level = "auto",
        decoder: Decoder = "greedy",
        alternatives: int = 0,
    ) -> list[Reading]:
        """Read images, each of one word or one line.

        Args:
            images: gray, dark ink on light paper, of any sizes (`recognizer.image.decode`).
            level: `word` forbids spaces; `auto` and `line` allow them.
            decoder: `greedy` follows the best path; `beam` sums over paths and uses the
                bundle's language model, where it has one; `lexicon` also prefers known words.
            alternatives: how many other texts to give, found by beam search.

        Returns:
            One reading an image, in their order. A reading depends on its image alone.

        Raises:
            ReadingError: no such decoder, a level the bundle does not offer, or too many
                alternatives.
        """
        if level != "auto" and level not in self.manifest.levels:
            raise ReadingError(f"This model reads {' and '.join(self.manifest.levels)}s only.")
        if decoder not in self.decoders:
            why = "This model has no lexicon; the" if decoder == "lexicon" else "The"
            raise ReadingError(f"{why} decoder must be {' or '.join(self.decoders)}.")
        if not 0 <= alternatives <= MOST_ALTERNATIVES:
            raise ReadingError(f"Alternatives must lie between 0 and {MOST_ALTERNATIVES}.")
        prepared = [prepare(gray, self.manifest.input) for gray in images]
        return [
            self.interpret(
                log_probs,
                ready,
                width=gray.shape[1],
                level=level,
                decoder=decoder,
                alternatives=alternatives,
            )
            for gray, ready, log_probs in zip(images, prepared, self.infer(prepared), strict=True)
        ]

    def lines(self, page: Gray, wanted: Callable[[], bool] = lambda: True) -> list[FoundLine]:
        """The lines of a page in reading order, found by the bundle's detector or by `Bands`."""
        return cut_lines(page, find_lines(page, self._detector), wanted)

    def may_be_page(self, gray: Gray) -> bool:
        """Whether `page_lines` looks for lines, which takes as long as to read several."""
        return "line" in self.manifest.levels and may_be_page(gray)

    def page_lines(
        self, gray: Gray, wanted: Callable[[], bool] = lambda: True
    ) -> list[FoundLine] | None:
        """The lines of an image that is a page; None of one that shows a word or a line."""
        if not self.may_be_page(gray):
            return None
        lines = find_lines(gray, self._detector)
        return cut_lines(gray, lines, wanted) if is_page(lines, gray) else None

    def read_any(
        self, images: Sequence[Gray], *, level: AskedLevel = "auto", decoder: Decoder = "greedy"
    ) -> list[list[Reading]]:
        """Read images of words, lines or pages: of each a reading a line, in reading order.

        Raises:
            ReadingError: as `read`.
        """
        alone: Level = "auto" if level == "page" else level
        counts: list[int] = []
        found: list[Reading] = []
        waiting: list[Gray] = []
        for gray in images:
            strips = self._strips(gray, level)
            counts.append(len(strips))
            waiting += strips
            if len(waiting) >= MOST_LINES:
                found += self.read(waiting, level=alone, decoder=decoder)
                waiting.clear()
        found += self.read(waiting, level=alone, decoder=decoder)
        readings = iter(found)
        return [[next(readings) for _ in range(count)] for count in counts]

    def _strips(self, gray: Gray, level: AskedLevel) -> list[Gray]:
        """The images of the lines of an image: of itself, where it is no page."""
        found = None
        if level == "page":
            found = self.lines(gray)
        elif level == "auto":
            found = self.page_lines(gray)
        return [gray] if found is None else [each.strip.pixels for each in found]

    def interpret(
        self,
        log_probs: LogProbs,
        ready: Prepared,
        *,
        width: int,
        level: Level = "auto",
        decoder: Decoder = "greedy",
        alternatives: int = 0,
    ) -> Reading:
        """What `infer` says of an image, `width` columns wide, as a reading. As `read` does."""
        blank = self.bundle.alphabet.blank
        forbidden = self.bundle.alphabet.space if level == "word" else None
        softened = decode.soften(log_probs, self.manifest.temperature, without=forbidden)
        guide = self._guides.get(decoder)
        found: list[tuple[Labels, float]] = []
        if guide:
            # a guide's weights are chosen for what the network says itself
            found = guided(decode.soften(log_probs, 1.0, without=forbidden), blank, guide)
        elif decoder == "beam" or alternatives:
            found = prefix_beam(softened, blank, width=BEAM_WIDTH)
        if decoder == "greedy":
            spans = decode.greedy(softened, blank)
        else:
            spans = decode.align(softened, found[0][0], blank)
        reading = self._reading(spans, softened, ready, width, decoder)
        others = self._alternatives(reading.text, found, alternatives)
        return replace(reading, alternatives=others)

    def infer(self, prepared: Sequence[Prepared], *, alone: bool = False) -> list[LogProbs]:
        """Log-probabilities of prepared images, each (steps, classes), in their order.

        Images share a batch only with images of their own bucket, so no image is padded
        because of another.

        Args:
            alone: nothing else is being read, so that every core may help; changes the time
                it takes and nothing else.
        """
        return self._inference.infer(prepared, alone=alone)

    def release_memory(self) -> None:
        """Give back what inferences in this process took and none of them needs now."""
        self._inference.release_memory()

    def _alternatives(
        self, text: str, found: list[tuple[Labels, float]], most: int
    ) -> tuple[Alternative, ...]:
        """Texts other than `text`. Labels that differ in outer spaces write the same one."""
        shares: dict[str, float] = defaultdict(float)
        for labels, score in found:
            shares[self.bundle.alphabet.decode(labels).strip()] += float(np.exp(score))
        shares.pop(text, None)
        ranked = sorted(shares.items(), key=lambda item: -item[1])
        return tuple(Alternative(other, min(share, 1.0)) for other, share in ranked[:most])

    def _reading(
        self,
        spans: list[Span],
        log_probs: LogProbs,
        ready: Prepared,
        width: int,
        decoder: Decoder,
    ) -> Reading:
        alphabet, stride = self.bundle.alphabet, self.manifest.input.stride
        calibration = self.manifest.calibration.get(decoder)
        written = alphabet.decode([span.label for span in spans])
        characters = tuple(
            Character(
                character,
                calibrated(span.confidence, calibration),
                ready.column(span.start, stride, width),
                ready.column(span.stop, stride, width),
            )
            for character, span in zip(written, spans, strict=True)
        )
        confidence = mean_confidence([each.confidence for each in characters])
        if not characters:
            confidence = float(np.exp(log_probs[:, alphabet.blank].mean()))
        return Reading(
            text=written.strip(),
            confidence=confidence,
            characters=characters,
        )
