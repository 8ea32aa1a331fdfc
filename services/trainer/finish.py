"""From a trained network to a finished bundle: exported, judged, calibrated, described."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from recognizer.alphabet import Alphabet
from recognizer.bundle import Bundle
from recognizer.recognizer import Recognizer
from trainer.card import model_card
from trainer.checkpoint import Checkpoint
from trainer.cores import limited
from trainer.corpus import Corpus
from trainer.datasets.base import Dataset, Sample, Split, is_made
from trainer.datasets.corrections import is_corrections
from trainer.decoding.fitting import Decoding, enriched, fit
from trainer.decoding.linguistics import texts_of
from trainer.detector.bundled import detector_of
from trainer.evaluation import Evaluation, evaluate
from trainer.export import export_bundle, put
from trainer.metrics import Scores
from trainer.network import Crnn
from trainer.quantize import Precision, faster
from trainer.recipe import Recipe


@dataclass(frozen=True)
class Finished:
    """A bundle, its card, and what it read of the test splits (greedy decoder).

    `precision` says what 8-bit convolutions change; None where there was nothing to measure on.
    """

    bundle: Bundle
    card: str
    tests: dict[str, Evaluation]
    precision: Precision | None

    def whole(self) -> Evaluation | None:
        """All test splits as one; None where there was nothing to test on."""
        if not self.tests:
            return None
        return Evaluation(
            tuple(judged for each in self.tests.values() for judged in each.judged),
            sum(each.unreadable for each in self.tests.values()),
        )


def finish(
    model: Crnn,
    corpus: Corpus,
    recipe: Recipe,
    path: Path,
    *,
    epochs: int,
    start: str,
    inherited: str = "",
    base: Bundle | None = None,
) -> Finished:
    """Export a network, read the test splits with the bundle, fit its decoding, write its card.

    What is served has 8-bit convolutions, where they read as well (`trainer.quantize`).

    Args:
        path: of the bundle; what lies there is replaced.
        epochs: how many were trained.
        start: what the weights were at first, in a few words.
        inherited: the card of the version they came from.
        base: that version, whose detector goes on; None: the starter's does.

    Raises:
        ExportError: the backend exports no ONNX.
    """
    spec = recipe.input()

    def card(
        scores: dict[str, Scores],
        decoding: Decoding | None = None,
        precision: Precision | None = None,
    ) -> str:
        return model_card(
            corpus,
            recipe,
            epochs=epochs,
            start=start,
            scores=scores,
            decoding=decoding,
            precision=precision,
            inherited=inherited,
        )

    path.parent.mkdir(parents=True, exist_ok=True)
    # beside its place, so that it can be moved there
    with TemporaryDirectory(dir=path.parent, prefix=".bundle-") as folder:
        exact = export_bundle(
            model,
            corpus.alphabet,
            spec,
            card({}),
            Path(folder) / "exact",
            detector=detector_of(base),
        )
        held = _handwriting(corpus, "val")
        draft, precision = faster(
            exact, _handwriting(corpus, "train"), held, Path(folder) / "draft"
        )
        recognizer = Recognizer(draft, threads=limited())
        found = {
            dataset.name: evaluate(
                recognizer, [s for s in dataset.samples("test") if corpus.alphabet.covers(s.text)]
            )
            for dataset in corpus.datasets
        }
        decoding = fit(draft, held, texts_of(corpus.datasets))
        tests = {name: evaluation for name, evaluation in found.items() if evaluation.judged}
        text = card({name: each.scores for name, each in tests.items()}, decoding, precision)
        bundle = put(enriched(draft, decoding, Path(folder) / "bundle", card=text), path)
    return Finished(bundle, text, tests, precision)


def finish_checkpoint(checkpoint: Checkpoint, datasets: Sequence[Dataset], path: Path) -> Finished:
    """The same for the best network of a checkpoint, and the datasets it was trained on.

    Raises:
        CheckpointError, ExportError: each with a message for the user.
    """
    state = checkpoint.state()
    corpus = Corpus(tuple(datasets), Alphabet(state.alphabet))
    recipe = Recipe(**state.parameters)
    epochs = len(state.history)
    return finish(checkpoint.best(), corpus, recipe, path, epochs=epochs, start=state.origin)


def _handwriting(corpus: Corpus, split: Split) -> list[Sample]:
    """Samples as a version will meet them: real ones, where there are any.

    Corrections alone are too few, and of too few hands: then made ones go with them.
    """
    real = tuple(each for each in corpus.datasets if not is_made(each))
    if all(is_corrections(each) for each in real):
        real = corpus.datasets
    found = [s for each in real for s in each.samples(split) if corpus.alphabet.covers(s.text)]
    found = found or corpus.samples(split)
    random.Random(0).shuffle(found)
    return found
