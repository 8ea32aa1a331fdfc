"""Beam search with a guide, against brute force over all texts."""

import itertools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from recognizer.beam import State, prefix_beam
from recognizer.decode import Labels, LogProbs, soften

BLANK = 0


class Pairs:
    """Random scores of each label after the one before it, and of each last label."""

    start: State = (BLANK,)

    def __init__(self, classes: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.table = rng.normal(0, 1, (classes, classes)).astype(np.float32)

    def scores(self, states: Sequence[State]) -> NDArray[np.float32]:
        return self.table[[last for (last,) in states]]

    def after(self, state: State, label: int) -> State:
        return (label,)

    def total(self, labels: Labels) -> float:
        before = (BLANK, *labels)
        after = (*labels, BLANK)
        return float(sum(self.table[pair] for pair in zip(before, after, strict=True)))


def outputs(steps: int, classes: int, seed: int) -> LogProbs:
    logits = np.random.default_rng(seed).normal(0, 1, (steps, classes))
    return soften(logits.astype(np.float32), 1.0)


def all_texts(log_probs: LogProbs) -> dict[Labels, float]:
    found: dict[Labels, float] = defaultdict(float)
    steps, classes = log_probs.shape
    for path in itertools.product(range(classes), repeat=steps):
        merged = [label for label, _ in itertools.groupby(path)]
        text = tuple(label for label in merged if label != BLANK)
        found[text] += float(np.exp(sum(log_probs[step, label] for step, label in enumerate(path))))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_unlimited_guided_beam_is_exact(seed: int) -> None:
    log_probs, guide = outputs(5, 4, seed), Pairs(4, seed)
    expected = {
        text: np.log(share) + guide.total(text) for text, share in all_texts(log_probs).items()
    }
    found = prefix_beam(log_probs, BLANK, width=100_000, least=0, guide=guide)
    assert len(found) == len(expected)
    for text, score in found:
        assert score == pytest.approx(expected[text], abs=1e-4)
    assert [score for _, score in found] == sorted(expected.values(), reverse=True) or np.allclose(
        [score for _, score in found], sorted(expected.values(), reverse=True), atol=1e-4
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_margin_drops_only_what_lies_below_it(seed: int) -> None:
    log_probs, guide = outputs(6, 4, seed), Pairs(4, seed)
    whole = prefix_beam(log_probs, BLANK, width=200, least=0, guide=guide)
    some = prefix_beam(log_probs, BLANK, width=200, least=0, guide=guide, margin=4.0)
    assert 0 < len(some) < len(whole)
    assert some[0][0] == whole[0][0]


def test_a_guide_decides_what_the_network_leaves_open() -> None:
    open_ = np.log(np.array([[0.02, 0.49, 0.49], [0.96, 0.02, 0.02]], np.float32))
    guide = Pairs(3, seed=0)
    for liked in (1, 2):
        guide.table[:] = 0
        guide.table[BLANK, liked] = 1
        assert prefix_beam(open_, BLANK, guide=guide)[0][0] == (liked,)


def test_the_end_is_scored_too() -> None:
    open_ = np.log(np.array([[0.5, 0.5]], np.float32))
    guide = Pairs(2, seed=0)
    guide.table[:] = 0
    guide.table[1, BLANK] = -3
    (first, better), (second, worse) = prefix_beam(open_, BLANK, guide=guide)
    assert (first, second) == ((), (1,))
    assert better - worse == pytest.approx(3, abs=1e-5)


def test_without_steps_only_the_empty_text_is_found() -> None:
    guide = Pairs(3, seed=1)
    ((text, score),) = prefix_beam(np.zeros((0, 3), np.float32), BLANK, guide=guide)
    assert text == ()
    assert score == pytest.approx(float(guide.table[BLANK, BLANK]))
