"""Tiny bundles with a language model and a lexicon, made without the trainer."""

from pathlib import Path

import numpy as np

from bundles import ALPHABET, make_bundle
from recognizer import language, wordlist
from recognizer.bundle import Bundle, seal
from recognizer.language import Ngrams, quantise
from recognizer.manifest import Calibration, Language, Words


def make_rich_bundle(path: Path, letter: str = "a") -> Bundle:
    """As `make_bundle`; its language model finds all characters equally likely."""
    plain = make_bundle(path, letter)
    nodes = len(ALPHABET) + 2
    symbols = np.array([0, *range(nodes - 1)], np.uint8)
    children = np.zeros(nodes, np.uint8)
    children[0] = nodes - 1
    level = np.full(nodes, -np.log(nodes - 1))
    Ngrams(ALPHABET, symbols, children, quantise(level), quantise(np.zeros(nodes))).save(
        path / language.FILE
    )
    wordlist.write({letter: 5, 2 * letter: 3}, path / wordlist.FILE)
    told = {
        "language": Language(file=language.FILE, weight=0.4, bonus=1.0),
        "lexicon": Words(
            file=wordlist.FILE, weight=0.2, escape=4.0, language_weight=0.4, bonus=1.0
        ),
        "calibration": {"lexicon": Calibration(right=0.5, wrong=0.5, offset=0.0)},
    }
    return seal(path, plain.manifest.model_copy(update=told))
