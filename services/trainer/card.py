"""MODEL_CARD.md: what a version was made of and how well it reads."""

from collections.abc import Mapping
from datetime import UTC, datetime

from trainer.corpus import Corpus
from trainer.datasets.base import SPLITS
from trainer.metrics import Scores
from trainer.recipe import Recipe


def model_card(
    corpus: Corpus,
    recipe: Recipe,
    *,
    epochs: int,
    start: str,
    scores: Mapping[str, Scores],
) -> str:
    """The card as Markdown.

    Args:
        epochs: how many were trained.
        start: what the weights were at first, in a few words.
        scores: dataset -> scores of its test split, greedy decoder.
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

Reads images of single words and lines of handwriting. Made {datetime.now(UTC):%Y-%m-%d}.

## Data

| dataset | lines train / val / test | licence |
| --- | --- | --- |
{data}

Split lists are digested to `{corpus.digest()}`. A document never straddles splits.

## Training

A CRNN with CTC of size `{recipe.size}`, {epochs} epochs from {start}; batches of
{recipe.batch_size}, AdamW at {recipe.learning_rate:g}, seed {recipe.seed}.

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

Hands, languages and papers unlike the data above are read worse, and confidence is not yet
calibrated. Whole pages must be cut into lines first. Do not use readings unchecked where a
wrong one does harm.
"""
