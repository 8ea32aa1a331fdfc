"""What a bundle knows of texts: from those it was trained on, and from word frequencies."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recognizer import language, lexicon, wordlist
from recognizer.alphabet import normalise
from recognizer.bundle import Bundle
from recognizer.language import Ngrams
from trainer.datasets.base import Dataset, is_made
from trainer.decoding import vocabulary as drawing
from trainer.decoding.language import estimate

TRUST = 3
"""How often a line somebody wrote counts, against one of drawn words."""
OWN_SHARE = 0.5
"""Of the lexicon's counts, from the training texts; the rest from word frequencies."""
WHOLE = 100_000_000


@dataclass(frozen=True)
class Linguistics:
    """A character n-gram model and a lexicon, and in a sentence where they come from."""

    ngrams: Ngrams
    words: Mapping[str, int]
    source: str

    @classmethod
    def of(
        cls, texts: Sequence[str], *, languages: Sequence[str] = drawing.LANGUAGES
    ) -> "Linguistics":
        """Build both.

        Args:
            texts: transcriptions of training splits, nothing of validation or test.
            languages: whose word frequencies are added.

        Raises:
            ValueError: there is no text at all.
        """
        drawn = [normalise(line) for name in languages for line in drawing.lines(name)]
        ngrams = estimate([*texts, *drawn], weights=[TRUST] * len(texts) + [1] * len(drawn))
        named = ", ".join(drawing.NAMES.get(name, name) for name in languages)
        return cls(
            ngrams,
            _lexicon(texts, languages),
            f"the {len(texts)} transcriptions of the training splits above and the word "
            f"frequencies of wordfreq (CC BY-SA 4.0) for {named}",
        )

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> "Linguistics":
        """Those of a version. Raises `BundleError` where its files are damaged.

        Raises:
            ValueError: it has none.
        """
        manifest = bundle.manifest
        if not (manifest.language and manifest.lexicon):
            raise ValueError(f"{bundle.path} has no language model or no lexicon")
        return cls(
            Ngrams.load(bundle.path / manifest.language.file),
            dict(wordlist.read(bundle.path / manifest.lexicon.file)),
            "what the version before was made from, whose they were",
        )

    def save(self, folder: Path) -> None:
        """Write both files of a bundle."""
        self.ngrams.save(folder / language.FILE)
        wordlist.write(self.words, folder / wordlist.FILE)


def texts_of(datasets: Iterable[Dataset]) -> list[str]:
    """What hands wrote in the training splits: nothing made, nothing held out."""
    return [
        sample.text
        for dataset in datasets
        if not is_made(dataset)
        for sample in dataset.samples("train")
    ]


def _lexicon(texts: Sequence[str], languages: Sequence[str]) -> dict[str, int]:
    """Words of both sources with their shares as whole numbers."""
    share: defaultdict[str, float] = defaultdict(float)
    own = Counter(piece for text in texts for piece in lexicon.pieces(text))
    for word, count in own.items():
        share[word] += OWN_SHARE * count / own.total()
    for name in languages:
        found = drawing.frequencies(name)
        whole = sum(found.values())
        for word, frequency in found.items():
            for piece in lexicon.pieces(normalise(word)):
                share[piece] += (1 - OWN_SHARE) / len(languages) * frequency / whole
    ranked = sorted(share.items(), key=lambda item: (-item[1], item[0]))[: wordlist.MOST_WORDS]
    return {word: max(1, round(WHOLE * each)) for word, each in ranked}
