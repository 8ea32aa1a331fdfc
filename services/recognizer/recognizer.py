"""A bundle at work: images in, readings out."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from recognizer import decode, image
from recognizer.bundle import Bundle
from recognizer.decode import Labels, LogProbs, Span
from recognizer.errors import BundleError, ImageError, ReadingError
from recognizer.image import Gray
from recognizer.manifest import Manifest
from recognizer.prepare import Prepared, prepare
from recognizer.reading import Alternative, Character, Reading, mean_confidence

Decoder = Literal["greedy", "beam"]
DECODERS: tuple[Decoder, ...] = get_args(Decoder)
Level = Literal["auto", "word", "line"]

MOST_ALTERNATIVES = 10
BEAM_WIDTH = 16
BATCH = 16
# Another processor rounds differently; a broken network reads nothing like the golden text.
LEAST_LIKENESS = 0.9


class Recognizer:
    """Reads images of words and lines with the network of one bundle. Safe to share by threads."""

    def __init__(self, bundle: Bundle, *, threads: int = 0) -> None:
        """Open the network.

        Args:
            bundle: a checked bundle.
            threads: threads inside one inference; 0 lets onnxruntime choose.

        Raises:
            BundleError: the network cannot be opened or has not the shape the manifest says.
        """
        self.bundle = bundle
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                bundle.network, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no base class
            raise BundleError(bundle.network, f"cannot be opened: {_reason(error)}") from error
        self._input = self._session.get_inputs()[0].name
        classes = (self._session.get_outputs()[0].shape or [None])[-1]
        if classes != bundle.alphabet.classes:
            raise BundleError(
                bundle.network,
                f"has {classes} classes, the alphabet makes {bundle.alphabet.classes}",
                field="alphabet",
            )

    @classmethod
    def load(cls, path: Path, *, threads: int = 0) -> "Recognizer":
        """Check a bundle, open its network and read its golden images. Raises `BundleError`."""
        recognizer = cls(Bundle.load(path), threads=threads)
        recognizer.check()
        return recognizer

    @property
    def manifest(self) -> Manifest:
        return self.bundle.manifest

    def check(self) -> None:
        """Read the golden images. Raises `BundleError` where one is not read as expected."""
        for golden in self.manifest.golden:
            file = self.bundle.path / golden.image
            try:
                text = self.read([image.decode(file.read_bytes())])[0].text
            except BundleError:
                raise
            except (ImageError, OSError) as error:
                raise BundleError(file, f"cannot be read: {error}") from error
            except Exception as error:
                network = self.bundle.network
                raise BundleError(network, f"fails on {file.name}: {_reason(error)}") from error
            if SequenceMatcher(None, text, golden.text, autojunk=False).ratio() < LEAST_LIKENESS:
                raise BundleError(file, f"was read as {text!r}, expected {golden.text!r}")

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
            decoder: `greedy` follows the best path, `beam` sums over paths.
            alternatives: how many other texts to give, found by beam search.

        Returns:
            One reading an image, in their order. A reading depends on its image alone.

        Raises:
            ReadingError: no such decoder, a level the bundle does not offer, or too many
                alternatives.
        """
        if level != "auto" and level not in self.manifest.levels:
            raise ReadingError(f"This model reads {' and '.join(self.manifest.levels)}s only.")
        if decoder not in DECODERS:
            raise ReadingError(f"The decoder must be {' or '.join(DECODERS)}.")
        if not 0 <= alternatives <= MOST_ALTERNATIVES:
            raise ReadingError(f"Alternatives must lie between 0 and {MOST_ALTERNATIVES}.")
        prepared = [prepare(gray, self.manifest.input) for gray in images]
        forbidden = self.bundle.alphabet.space if level == "word" else None
        readings = []
        for gray, ready, log_probs in zip(images, prepared, self.infer(prepared), strict=True):
            softened = decode.soften(log_probs, self.manifest.temperature, without=forbidden)
            spans, found = self._decode(softened, decoder, alternatives)
            reading = self._reading(spans, softened, ready, gray.shape[1])
            others = self._alternatives(reading.text, found, alternatives)
            readings.append(replace(reading, alternatives=others))
        return readings

    def infer(self, prepared: Sequence[Prepared]) -> list[LogProbs]:
        """Log-probabilities of prepared images, each (steps, classes), in their order.

        Images share a batch only with images of their own bucket, so no image is padded
        because of another.
        """
        buckets: dict[int, list[int]] = defaultdict(list)
        for index, ready in enumerate(prepared):
            buckets[ready.ink.shape[1]].append(index)
        results: list[LogProbs] = [np.empty((0, 0), np.float32)] * len(prepared)
        for members in buckets.values():
            for first in range(0, len(members), BATCH):
                batch = members[first : first + BATCH]
                outputs = self._run(np.stack([prepared[index].ink for index in batch]))
                for index, output in zip(batch, outputs, strict=True):
                    results[index] = output
        return results

    def _run(self, ink: NDArray[np.float32]) -> NDArray[np.float32]:
        """(images, height, width) to (images, steps, classes)."""
        outputs = self._session.run(None, {self._input: ink[..., np.newaxis]})
        log_probs = np.asarray(outputs[0], np.float32)
        steps = ink.shape[2] // self.manifest.input.stride
        wanted = (len(ink), steps, self.bundle.alphabet.classes)
        if log_probs.shape != wanted:
            raise BundleError(
                self.bundle.network, f"gives {log_probs.shape}, the manifest says {wanted}"
            )
        return log_probs

    def _decode(
        self, log_probs: LogProbs, decoder: Decoder, alternatives: int
    ) -> tuple[list[Span], list[tuple[Labels, float]]]:
        blank = self.bundle.alphabet.blank
        if decoder == "greedy" and not alternatives:
            return decode.greedy(log_probs, blank), []
        found = decode.prefix_beam(log_probs, blank, width=BEAM_WIDTH)
        if decoder == "greedy":
            return decode.greedy(log_probs, blank), found
        return decode.align(log_probs, found[0][0], blank), found

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
    ) -> Reading:
        alphabet, stride = self.bundle.alphabet, self.manifest.input.stride
        characters = tuple(
            Character(
                alphabet.decode([span.label]),
                span.confidence,
                ready.column(span.start, stride, width),
                ready.column(span.stop, stride, width),
            )
            for span in spans
        )
        confidence = mean_confidence([each.confidence for each in characters])
        if not characters:
            confidence = float(np.exp(log_probs[:, alphabet.blank].mean()))
        return Reading(
            text="".join(each.text for each in characters).strip(),
            confidence=confidence,
            characters=characters,
        )


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
