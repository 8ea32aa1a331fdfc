"""How much a bundle's decoders trust what is known of texts: chosen on validation lines."""

import logging
from collections.abc import Callable, Mapping, Sequence

from recognizer import language, wordlist
from recognizer.alphabet import Alphabet
from recognizer.beam import Guide, guided
from recognizer.decode import LogProbs
from recognizer.guides import beam_guide, lexicon_guide
from recognizer.language import LanguageModel
from recognizer.lexicon import Lexicon
from recognizer.manifest import Language, Words
from trainer.decoding.linguistics import Linguistics
from trainer.metrics import Scores, score

log = logging.getLogger(__name__)

LINES = 80
Line = tuple[str, LogProbs]
"""A truth, and what the network says of its image."""


FIRST_LANGUAGE = Language(file=language.FILE, weight=0.4, bonus=1.0)
FIRST_WORDS = Words(file=wordlist.FILE, weight=0.2, escape=4.0, language_weight=0.4, bonus=1.0)

LANGUAGE_GRID = {"weight": (0.25, 0.4, 0.5, 0.65, 0.8), "bonus": (0.5, 1.0, 1.5, 2.0, 2.5)}
WORDS_GRID = {
    "language_weight": (0.25, 0.4, 0.5, 0.65, 0.8),
    "weight": (0.1, 0.2, 0.3, 0.45),
    "escape": (3.0, 4.0, 6.0),
    "bonus": (0.5, 1.0, 1.5, 2.0, 2.5, 3.0),
}


def tune(
    linguistics: Linguistics, alphabet: Alphabet, lines: Sequence[Line]
) -> tuple[Language, Words]:
    """Choose the weights with the lowest CER and WER, the first `LINES` lines deciding.

    One weight at a time, the others kept: decoding takes long, and the lowest point is flat.
    """
    model = LanguageModel(linguistics.ngrams, alphabet)
    words = Lexicon.of(linguistics.words, alphabet)
    lines = lines[:LINES]

    def cost(guide: Guide) -> float:
        found = guided_scores(guide, alphabet, lines)
        return found.cer + found.wer

    chosen = _search(
        FIRST_LANGUAGE.model_dump(),
        LANGUAGE_GRID,
        lambda values: cost(beam_guide(model, Language.model_validate(values))),
    )
    best = Language.model_validate(chosen)
    first = FIRST_WORDS.model_dump() | {"language_weight": best.weight, "bonus": best.bonus}
    chosen = _search(
        first,
        WORDS_GRID,
        lambda values: cost(lexicon_guide(model, words, Words.model_validate(values))),
    )
    return best, Words.model_validate(chosen)


def cost(
    linguistics: Linguistics, words: Words, alphabet: Alphabet, lines: Sequence[Line]
) -> float:
    """CER and WER, added up, that the lexicon decoder has with weights, on the same lines."""
    model = LanguageModel(linguistics.ngrams, alphabet)
    guide = lexicon_guide(model, Lexicon.of(linguistics.words, alphabet), words)
    found = guided_scores(guide, alphabet, lines[:LINES])
    return found.cer + found.wer


def guided_scores(guide: Guide, alphabet: Alphabet, lines: Sequence[Line]) -> Scores:
    """How well lines are read with a guide."""
    return score(
        (truth, _text(guided(found, alphabet.blank, guide)[0][0], alphabet))
        for truth, found in lines
    )


def _search(
    values: dict[str, float],
    grid: Mapping[str, tuple[float, ...]],
    cost: Callable[[dict[str, float]], float],
) -> dict[str, float]:
    best, least = values, cost(values)
    for name, choices in grid.items():
        for choice in choices:
            if choice != values[name]:
                tried = best | {name: choice}
                found = cost(tried)
                if found < least:
                    best, least = tried, found
    log.info("decoding: %s gives CER and WER of %.3f together", best, least)
    return best


def _text(labels: Sequence[int], alphabet: Alphabet) -> str:
    return alphabet.decode(labels).strip()
