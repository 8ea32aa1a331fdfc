"""Fits how a bundle decodes and what its confidences mean, on validation samples."""

import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from recognizer import decode
from recognizer.bundle import Bundle, seal
from recognizer.decode import LogProbs
from recognizer.errors import ImageError
from recognizer.language import FILE as LANGUAGE
from recognizer.manifest import CARD, DECODERS, Calibration, Decoder, Language, Manifest, Words
from recognizer.prepare import Prepared, prepare
from recognizer.reading import Reading
from recognizer.recognizer import Recognizer
from recognizer.wordlist import FILE as LEXICON
from trainer.cores import limited
from trainer.datasets.base import Sample
from trainer.decoding import tuning
from trainer.decoding.calibration import (
    Characters,
    RiskCoverage,
    calibration_error,
    correct,
    fit_calibration,
    fit_temperature,
    plot_reliability,
    plot_risk,
)
from trainer.decoding.linguistics import Linguistics
from trainer.metrics import score

log = logging.getLogger(__name__)

HOPELESS = 0.6
"""A greedy CER above which guessing at words only misleads."""
LINES = 400
"""Validation samples that confidences are fitted on; weights are chosen on fewer."""


@dataclass(frozen=True)
class Decoding:
    """What a manifest says of decoding and confidences, and the files that it names."""

    temperature: float = 1.0
    language: Language | None = None
    lexicon: Words | None = None
    calibration: Mapping[Decoder, Calibration] = field(default_factory=dict)
    linguistics: Linguistics | None = None

    def write(self, folder: Path) -> None:
        """Write the files into the folder of a bundle."""
        if self.linguistics:
            self.linguistics.save(folder)

    def manifest(self, manifest: Manifest) -> Manifest:
        """The same with these fields."""
        return manifest.model_copy(
            update={
                "temperature": self.temperature,
                "language": self.language,
                "lexicon": self.lexicon,
                "calibration": dict(self.calibration),
            }
        )


@dataclass(frozen=True)
class Seen:
    """A sample as the network sees it."""

    truth: str
    width: int
    ready: Prepared
    log_probs: LogProbs


def see(recognizer: Recognizer, samples: Iterable[Sample]) -> list[Seen]:
    """Run the network over samples; images that cannot be read are left out."""
    ready, truths, widths = [], [], []
    for sample in samples:
        try:
            gray = sample.image()
        except (ImageError, OSError) as error:
            log.warning("%s is skipped: %s", sample.id, error)
            continue
        ready.append(prepare(gray, recognizer.manifest.input))
        truths.append(sample.text)
        widths.append(gray.shape[1])
    return [
        Seen(*each) for each in zip(truths, widths, ready, recognizer.infer(ready), strict=True)
    ]


def readings(
    recognizer: Recognizer, seen: Sequence[Seen], decoder: Decoder
) -> list[tuple[str, Reading]]:
    """Truths with their readings."""
    return [
        (
            each.truth,
            recognizer.interpret(each.log_probs, each.ready, width=each.width, decoder=decoder),
        )
        for each in seen
    ]


def fit(
    bundle: Bundle, samples: Sequence[Sample], texts: Sequence[str], base: Bundle | None = None
) -> Decoding:
    """Temperature, weights of language model and lexicon, and calibration of each decoder.

    Args:
        bundle: what to fit; only its network and alphabet are used.
        samples: of validation splits, in a mixed order; the first `LINES` are used.
        texts: of training splits, to make the language model and the lexicon from.
        base: a version whose language model and lexicon go on where these read worse, or where
            there are no samples to tell.
    """
    recognizer = Recognizer(bundle, threads=limited())
    seen = see(recognizer, samples[:LINES])
    first = Decoding(temperature=_temperature(bundle, seen))
    log.info("temperature %.2f on %d samples", first.temperature, len(seen))
    plain = readings(recognizer, seen, "greedy")
    cer = score((truth, reading.text) for truth, reading in plain).cer
    known = _known(base)
    if not seen and known:
        log.info("nothing to judge by: language model and lexicon are those of the version before")
        calibration = base.manifest.calibration if base else {}
        return replace(known, temperature=first.temperature, calibration=calibration)
    if not seen or cer > HOPELESS:
        log.info(
            "no language model: with a CER of %.0f %% there is nothing to guess from", 100 * cer
        )
        return _calibrated(bundle, first, seen, ["greedy"])
    linguistics = Linguistics.of(texts)
    lines = [(each.truth, each.log_probs) for each in seen]
    language, words = tuning.tune(linguistics, bundle.alphabet, lines)
    guided = replace(first, language=language, lexicon=words, linguistics=linguistics)
    if known and _cost(known, bundle, lines) < _cost(guided, bundle, lines):
        log.info("language model and lexicon of the version before read better: they go on")
        guided = replace(known, temperature=first.temperature)
    return _calibrated(bundle, guided, seen, DECODERS)


def _known(base: Bundle | None) -> Decoding | None:
    """What a version knows of texts; None where that is nothing."""
    language, words = (base.manifest.language, base.manifest.lexicon) if base else (None, None)
    if base is None or language is None or words is None:
        return None
    return Decoding(  # in files that are called as they are here, whatever that version called them
        language=language.model_copy(update={"file": LANGUAGE}),
        lexicon=words.model_copy(update={"file": LEXICON}),
        linguistics=Linguistics.of_bundle(base),
    )


def _cost(decoding: Decoding, bundle: Bundle, lines: Sequence[tuple[str, LogProbs]]) -> float:
    """CER and WER of the lexicon decoder on what its weights are chosen on."""
    assert decoding.linguistics
    assert decoding.lexicon
    return tuning.cost(decoding.linguistics, decoding.lexicon, bundle.alphabet, lines)


def _calibrated(
    bundle: Bundle, decoding: Decoding, seen: Sequence[Seen], decoders: Sequence[Decoder]
) -> Decoding:
    with TemporaryDirectory() as folder:
        enough = enriched(bundle, decoding, Path(folder) / "bundle")
        draft = Recognizer(enough, threads=limited())
        calibration = {
            decoder: fit_calibration(Characters.of(readings(draft, seen, decoder)))
            for decoder in decoders
        }
    return replace(decoding, calibration=calibration)


def diagnose(recognizer: Recognizer, samples: Sequence[Sample], folder: Path) -> dict[str, float]:
    """Draw reliability and risk of every decoder on samples not fitted on.

    Returns:
        `ece_DECODER` (bins of equal width) and `to_check_DECODER`, the share of lines to check
        for a CER of 1 % in the rest.
    """
    seen = see(recognizer, samples)
    figures: dict[str, float] = {}
    curves = []
    for decoder in recognizer.decoders:
        pairs = readings(recognizer, seen, decoder)
        found = Characters.of(pairs)
        curve = RiskCoverage.of((read.confidence, truth, read.text) for truth, read in pairs)
        curves.append((decoder, curve))
        plot_reliability(found, folder / f"reliability-{decoder}.png", title=decoder)
        figures[f"ece_{decoder}"] = calibration_error(found)
        figures[f"to_check_{decoder}"] = curve.to_check()
    plot_risk(curves, folder / "risk.png")
    return figures


def enriched(bundle: Bundle, decoding: Decoding, path: Path, *, card: str | None = None) -> Bundle:
    """A copy of a bundle that decodes so, with a model card of its own where one is given.

    `path` must not exist yet.
    """
    shutil.copytree(bundle.path, path)
    for file in (bundle.manifest.language, bundle.manifest.lexicon):
        if file:
            (path / file.file).unlink()
    decoding.write(path)
    if card is not None:
        (path / CARD).write_text(card, encoding="utf-8")
    return seal(path, decoding.manifest(bundle.manifest))


def _temperature(bundle: Bundle, seen: Sequence[Seen]) -> float:
    """Fitted on what greedy decoding reads: its text does not hang on the temperature."""
    alphabet = bundle.alphabet
    spans = [decode.greedy(each.log_probs, alphabet.blank) for each in seen]
    right = [
        correct(each.truth, alphabet.decode([span.label for span in found]))
        for each, found in zip(seen, spans, strict=True)
    ]

    def characters(temperature: float) -> Characters:
        softened = [decode.soften(each.log_probs, temperature) for each in seen]
        sure = [
            span.confidence for each in softened for span in decode.greedy(each, alphabet.blank)
        ]
        return Characters(np.array(sure), np.array([r for each in right for r in each], bool))

    return fit_temperature(characters)
