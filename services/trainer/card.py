"""MODEL_CARD.md: what a version was made of and how well it reads."""

from collections.abc import Mapping
from datetime import UTC, datetime

from trainer.corpus import Corpus
from trainer.datasets.base import SPLITS
from trainer.decoding.fitting import Decoding
from trainer.metrics import Scores
from trainer.quantize import Precision
from trainer.recipe import Recipe


def model_card(
    corpus: Corpus,
    recipe: Recipe,
    *,
    epochs: int,
    start: str,
    scores: Mapping[str, Scores],
    decoding: Decoding | None = None,
    precision: Precision | None = None,
    inherited: str = "",
) -> str:
    """The card as Markdown.

    Args:
        epochs: how many were trained.
        start: what the weights were at first, in a few words.
        scores: dataset -> scores of its test split, greedy decoder.
        decoding: how the version decodes, once that is fitted.
        precision: what 8-bit convolutions change, once that is measured.
        inherited: the card of the version that it was trained on from, whose data it knows too.
    """
    data = "\n".join(
        f"| {dataset.name} | {' / '.join(str(len(dataset.samples(split))) for split in SPLITS)} "
        f"| {dataset.licence} |"
        for dataset in corpus.datasets
    )
    results = "\n".join(
        f"| {name} | {found.samples} | {found.cer:.2%} | {found.wer:.2%} | {found.exact:.1%} |"
        for name, found in scores.items()
    )
    return f"""# Handwriting recogniser, {recipe.size}

Reads images of single words, lines and pages of handwriting. Made {datetime.now(UTC):%Y-%m-%d}.

## Data

| dataset | lines train / val / test | licence |
| --- | --- | --- |
{data}

{_inherited(inherited)}Split lists are digested to `{corpus.digest()}`. {_apart(corpus)}

## Training

A CRNN with CTC of size `{recipe.size}`, {epochs} epochs from {start}; batches of
{recipe.batch_size}, {_moved_by(recipe)}, seed {recipe.seed}.{_precision(precision)}

## Decoding and confidence

{_decoding(decoding)}

## Test results

Greedy decoder, no language model. CER is edit distance over reference characters and WER
the same over words split on spaces, each summed over the set. Test splits were neither
trained on nor used to choose.

| dataset | samples | CER | WER | exact |
| --- | --- | --- | --- | --- |
{results or "| none | 0 | | | |"}

## Limits

Writes only these {len(corpus.alphabet.characters)} characters:

```
{corpus.alphabet.characters}
```

Hands, languages and papers unlike the data above are read worse, and their confidences mean less.
Lines of whole pages are found by a detector trained apart from this network, or as bands of ink.
Do not use readings unchecked where a wrong one does harm.
"""


def _decoding(decoding: Decoding | None) -> str:
    if decoding is None:
        return "Greedy and beam search, no language model; confidences as the network gives them."
    fitted = (
        "Confidences are calibrated on validation samples: temperature "
        f"{decoding.temperature:.2f}, then beta calibration for each decoder."
    )
    language, words, source = decoding.language, decoding.lexicon, decoding.linguistics
    if not (language and words and source):
        return f"Greedy and beam search, no language model. {fitted}"
    return (
        f"Beam search reads with a character n-gram model ({len(source.ngrams.symbols) - 1:,} "
        f"n-grams, weight {language.weight:g}, {language.bonus:g} for each character); the decoder "
        f"`lexicon` also with {len(source.words):,} words (weight {words.weight:g}, "
        f"{words.escape:g} for any other word, language model {words.language_weight:g}, "
        f"{words.bonus:g} for each character). Both were made from {source.source}; the weights "
        f"were chosen on validation samples.\n\n{fitted}"
    )


def _moved_by(recipe: Recipe) -> str:
    name = {"muon": "Muon", "adamw": "AdamW"}[recipe.optimizer]
    return f"{name} at {recipe.learning_rate:g}"


def _precision(precision: Precision | None) -> str:
    if precision is None:
        return ""
    made = "has convolutions of 8 bits" if precision.kept else "was tried with 8-bit convolutions"
    kept = "" if precision.kept else ", and left as it was"
    return (
        f"\n\nWhat is served {made}: CER of {precision.samples} validation images "
        f"{precision.eight_bits:.2%}, with 32 bits {precision.full:.2%}{kept}."
    )


def _apart(corpus: Corpus) -> str:
    names = ", ".join(corpus.straddling)
    if not names:
        return "A document never straddles\nsplits."
    return f"Documents\nof {names} lie in several splits: its figures are too good."


def _inherited(card: str) -> str:
    """The data of an earlier version, as its card lists it."""
    rows = card.split("## Data", 1)[-1].split("\n## ", 1)[0] if "## Data" in card else ""
    table = [row for row in rows.splitlines() if row.startswith("|")]
    if not table:
        return ""
    return "Trained on from a version that had learnt from:\n\n" + "\n".join(table) + "\n\n"
