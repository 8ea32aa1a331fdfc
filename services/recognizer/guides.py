"""What a bundle knows of texts, as beam search uses it."""

from recognizer.beam import Guide
from recognizer.bundle import Bundle
from recognizer.language import LanguageGuide, LanguageModel
from recognizer.lexicon import Lexicon, LexiconGuide
from recognizer.manifest import Decoder, Language, Words


def guides_of(bundle: Bundle) -> dict[Decoder, Guide]:
    """The guide of each decoder that has one. Raises `BundleError`."""
    language, words = bundle.manifest.language, bundle.manifest.lexicon
    guides: dict[Decoder, Guide] = {}
    model = lexicon = None
    if language:
        model = LanguageModel.load(bundle.path / language.file, bundle.alphabet)
        guides["beam"] = beam_guide(model, language)
    if words:
        lexicon = Lexicon.load(bundle.path / words.file, bundle.alphabet)
        guides["lexicon"] = lexicon_guide(model, lexicon, words)
    return guides


def beam_guide(model: LanguageModel, language: Language) -> Guide:
    return LanguageGuide(model, weight=language.weight, bonus=language.bonus)


def lexicon_guide(model: LanguageModel | None, lexicon: Lexicon, words: Words) -> Guide:
    """Both together; without a language model its weight counts for nothing."""
    inner = None
    if model:
        inner = LanguageGuide(model, weight=words.language_weight, bonus=words.bonus)
    return LexiconGuide(lexicon, weight=words.weight, escape=words.escape, inner=inner)
