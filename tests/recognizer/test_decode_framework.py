"""CTC decoding against the decoder of the framework. Keras is imported when a test runs."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from recognizer.beam import prefix_beam
from recognizer.decode import LogProbs, greedy, soften

STEPS, CLASSES = 9, 4


@pytest.fixture(scope="module")
def ops() -> Iterator[Any]:
    keras = pytest.importorskip("keras")
    return keras.ops


def batch(sharpness: float) -> LogProbs:
    logits = np.random.default_rng(3).normal(0, sharpness, (8, STEPS, CLASSES))
    return np.stack([soften(each.astype(np.float32), 1.0) for each in logits])


def decoded(ops: Any, log_probs: LogProbs, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.full(len(log_probs), STEPS, np.int32)
    labels, scores = ops.ctc_decode(log_probs, lengths, mask_index=0, **options)
    return ops.convert_to_numpy(labels), ops.convert_to_numpy(scores)


@pytest.mark.parametrize("sharpness", [0.5, 2, 6])
def test_greedy_agrees_with_the_framework(ops: Any, sharpness: float) -> None:
    log_probs = batch(sharpness)
    labels, _ = decoded(ops, log_probs, strategy="greedy", merge_repeated=True)
    for image, expected in zip(log_probs, labels[0], strict=True):
        found = [span.label for span in greedy(image, 0)]
        assert found == [label for label in expected.tolist() if label >= 0]


@pytest.mark.parametrize("sharpness", [0.5, 2, 6])
def test_beam_agrees_with_the_framework(ops: Any, sharpness: float) -> None:
    log_probs = batch(sharpness)
    labels, scores = decoded(ops, log_probs, strategy="beam_search", beam_width=2000, top_paths=3)
    for index, image in enumerate(log_probs):
        found = prefix_beam(image, 0, width=2000, least=0)[:3]
        for rank, (mine, score) in enumerate(found):
            theirs = [label for label in labels[rank][index].tolist() if label >= 0]
            assert list(mine) == theirs
            assert score == pytest.approx(float(scores[index][rank]), rel=1e-3)
