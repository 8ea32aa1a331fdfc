"""From a trained network to a finished bundle: exported, judged, calibrated, described."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from recognizer.alphabet import Alphabet
from recognizer.bundle import Bundle
from recognizer.manifest import CARD
from recognizer.recognizer import Recognizer
from trainer.card import model_card
from trainer.checkpoint import Checkpoint
from trainer.cores import limited
from trainer.corpus import Corpus
from trainer.datasets.base import Dataset
from trainer.decoding.fitting import Decoding, enriched, fit
from trainer.decoding.linguistics import texts_of
from trainer.detector.bundled import detector_of
from trainer.evaluation import Evaluation, evaluate
from trainer.export import export_bundle, put, refuse_other
from trainer.metrics import Scores
from trainer.network import Crnn
from trainer.quantize import Precision, faster
from trainer.recipe import Recipe
from trainer.transfer import NOTHING

log = logging.getLogger(__name__)


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
    base: Bundle | None = None,
) -> Finished:
    """Export a network, read the test splits with the bundle, fit its decoding, write its card.

    What is served has 8-bit convolutions, where they read as well (`trainer.quantize`).

    Args:
        path: of the bundle; what lies there is replaced.
        epochs: how many were trained.
        start: what the weights were at first, in a few words.
        base: the version they came from. Its detector goes on (None: the starter's), its language
            model where it helps more, and the card tells of it.

    Raises:
        ExportError: the backend exports no ONNX.
    """
    refuse_other(path)  # before anything takes long
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
            inherited=_card(base) if start != NOTHING else "",
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
        held = corpus.handwriting("val")
        draft, precision = faster(exact, corpus.handwriting("train"), held, Path(folder) / "draft")
        recognizer = Recognizer(draft, threads=limited())
        found = {
            dataset.name: evaluate(
                recognizer, [s for s in dataset.samples("test") if corpus.alphabet.covers(s.text)]
            )
            for dataset in corpus.datasets
        }
        decoding = fit(draft, held, texts_of(corpus.datasets), base)
        tests = {name: evaluation for name, evaluation in found.items() if evaluation.judged}
        text = card({name: each.scores for name, each in tests.items()}, decoding, precision)
        bundle = put(enriched(draft, decoding, Path(folder) / "bundle", card=text), path)
    return Finished(bundle, text, tests, precision)


def finish_checkpoint(
    checkpoint: Checkpoint, datasets: Sequence[Dataset], path: Path, *, inherits: bool = True
) -> Finished:
    """The same for the best network of a checkpoint, and the datasets it was trained on.

    Args:
        inherits: whether anything of what the training began with goes on but the weights.

    Raises:
        CheckpointError, ExportError: each with a message for the user.
    """
    state = checkpoint.state()
    corpus = Corpus(tuple(datasets), Alphabet(state.alphabet))
    recipe = Recipe(**state.parameters)
    if corpus.digest() != state.dataset:
        log.warning(
            "the checkpoint was trained on %s: card and language model will be of %s",
            state.sources or "other data",
            corpus.name,
        )
    return finish(
        checkpoint.best(),
        corpus,
        recipe,
        path,
        epochs=len(state.history),
        start=state.origin,
        base=checkpoint.base() if inherits else None,
    )


def _card(base: Bundle | None) -> str:
    file = base.path / CARD if base else None
    return file.read_text("utf-8") if file and file.is_file() else ""
