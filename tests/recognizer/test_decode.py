"""CTC decoding against brute force over all paths."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recognizer.beam import prefix_beam
from recognizer.decode import Labels, LogProbs, Span, align, greedy, soften

SMALL = settings(max_examples=60, deadline=None)


@st.composite
def small_case(draw: st.DrawFn, most_steps: int = 5) -> tuple[LogProbs, int]:
    """Random log-probabilities of a few steps and classes, and which class is the blank."""
    steps, classes = draw(st.integers(1, most_steps)), draw(st.integers(2, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    sharpness = draw(st.sampled_from([0.1, 1.0, 4.0]))
    return random_log_probs(steps, classes, seed, sharpness), draw(st.integers(0, classes - 1))


def random_log_probs(steps: int, classes: int, seed: int, sharpness: float = 1.0) -> LogProbs:
    logits = np.random.default_rng(seed).normal(0, sharpness, (steps, classes))
    return soften(logits.astype(np.float32), 1.0)


def written(path: tuple[int, ...], blank: int) -> Labels:
    """What a path writes: repeats merged, then blanks dropped."""
    merged = [label for label, _ in itertools.groupby(path)]
    return tuple(label for label in merged if label != blank)


def all_paths(log_probs: LogProbs) -> list[tuple[tuple[int, ...], float]]:
    steps, classes = log_probs.shape
    return [
        (path, float(sum(log_probs[step, label] for step, label in enumerate(path))))
        for path in itertools.product(range(classes), repeat=steps)
    ]


def all_texts(log_probs: LogProbs, blank: int) -> dict[Labels, float]:
    """Probability of everything that can be written, summed over its paths."""
    found: dict[Labels, float] = defaultdict(float)
    for path, score in all_paths(log_probs):
        found[written(path, blank)] += float(np.exp(score))
    return found


@SMALL
@given(small_case())
def test_greedy_writes_the_most_probable_path(case: tuple[LogProbs, int]) -> None:
    log_probs, blank = case
    path, _ = max(all_paths(log_probs), key=lambda each: each[1])
    spans = greedy(log_probs, blank)
    assert tuple(span.label for span in spans) == written(path, blank)
    for span in spans:
        assert set(path[span.start : span.stop]) == {span.label}
        highest = np.exp(log_probs[span.start : span.stop, span.label].max())
        assert span.confidence == pytest.approx(float(highest), rel=1e-5)


@SMALL
@given(small_case())
def test_unlimited_beam_is_exact(case: tuple[LogProbs, int]) -> None:
    log_probs, blank = case
    expected = all_texts(log_probs, blank)
    found = prefix_beam(log_probs, blank, width=100_000, least=0)
    assert {labels for labels, _ in found} == set(expected)
    for labels, score in found:
        assert np.exp(score) == pytest.approx(expected[labels], rel=1e-4)
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert np.exp(scores).sum() == pytest.approx(1, rel=1e-4)


@SMALL
@given(small_case(), st.integers(1, 8))
def test_narrow_beam_never_claims_too_much(case: tuple[LogProbs, int], width: int) -> None:
    log_probs, blank = case
    expected = all_texts(log_probs, blank)
    found = prefix_beam(log_probs, blank, width=width)
    assert 1 <= len(found) <= width
    for labels, score in found:
        assert np.isfinite(score)
        assert np.exp(score) <= expected[labels] * (1 + 1e-4)


@SMALL
@given(small_case(most_steps=4), st.data())
def test_align_finds_the_best_path_of_a_text(
    case: tuple[LogProbs, int], data: st.DataObject
) -> None:
    log_probs, blank = case
    labels = data.draw(st.sampled_from(sorted(all_texts(log_probs, blank))))
    spans = align(log_probs, labels, blank)
    assert tuple(span.label for span in spans) == labels
    path = [blank] * len(log_probs)
    for before, span in zip([None, *spans], spans, strict=False):
        assert span.start >= (before.stop if before else 0)
        path[span.start : span.stop] = [span.label] * (span.stop - span.start)
        highest = np.exp(log_probs[span.start : span.stop, span.label].max())
        assert span.confidence == pytest.approx(float(highest), rel=1e-5)
    assert written(tuple(path), blank) == labels
    best = max(score for each, score in all_paths(log_probs) if written(each, blank) == labels)
    score = sum(log_probs[step, label] for step, label in enumerate(path))
    assert score == pytest.approx(best, rel=1e-4, abs=1e-5)


def test_align_of_a_text_that_does_not_fit() -> None:
    log_probs = random_log_probs(3, 3, seed=0)
    assert len(align(log_probs, (1, 2, 1), 0)) == 3
    for labels in [(1, 1, 1), (1, 2, 1, 2)]:  # doubled labels need a blank between them
        with pytest.raises(ValueError, match="3 steps cannot write"):
            align(log_probs, labels, 0)
    assert align(log_probs, (), 0) == []


def test_beam_prefers_a_text_of_many_paths() -> None:
    """The classic case: the best single path is blank, the best text is not."""
    log_probs = np.log(np.array([[0.6, 0.4], [0.6, 0.4]], np.float32))
    assert greedy(log_probs, 0) == []
    (labels, score), (second, other) = prefix_beam(log_probs, 0)
    assert labels == (1,)
    assert np.exp(score) == pytest.approx(0.64)
    assert second == ()
    assert np.exp(other) == pytest.approx(0.36)


def test_beam_of_a_long_line_does_not_lose_the_greedy_text() -> None:
    log_probs = random_log_probs(200, 80, seed=1, sharpness=6)
    best, score = prefix_beam(log_probs, 0, width=16)[0]
    path = tuple(span.label for span in greedy(log_probs, 0))
    assert score >= log_probs.max(axis=1).sum() - 1e-3
    assert abs(len(best) - len(path)) < 10


def test_doubled_letters() -> None:
    log_probs = certain([1, 0, 1, 1, 2, 2], classes=3)
    assert greedy(log_probs, 0) == [Span(1, 0, 1, 1.0), Span(1, 2, 4, 1.0), Span(2, 4, 6, 1.0)]
    assert prefix_beam(log_probs, 0)[0][0] == (1, 1, 2)


@pytest.mark.parametrize("blank", [0, 1, 2])
def test_the_blank_may_be_any_class(blank: int) -> None:
    log_probs = certain([0, 1, 2], classes=3)
    expected = tuple(label for label in (0, 1, 2) if label != blank)
    assert tuple(span.label for span in greedy(log_probs, blank)) == expected
    assert prefix_beam(log_probs, blank)[0][0] == expected


def test_nothing_to_decode() -> None:
    nothing = np.empty((0, 3), np.float32)
    assert greedy(nothing, 0) == []
    assert prefix_beam(nothing, 0) == [((), 0.0)]


@SMALL
@given(small_case(), st.floats(0.3, 5))
def test_soften_divides_the_logits(case: tuple[LogProbs, int], temperature: float) -> None:
    log_probs, _ = case
    before = log_probs.copy()
    softened = soften(log_probs, temperature)
    powers = np.exp(log_probs.astype(np.float64)) ** (1 / temperature)
    np.testing.assert_allclose(
        np.exp(softened), powers / powers.sum(axis=1, keepdims=True), rtol=1e-3, atol=1e-6
    )
    np.testing.assert_array_equal(log_probs, before)


@SMALL
@given(small_case(), st.data())
def test_soften_forbids_a_class(case: tuple[LogProbs, int], data: st.DataObject) -> None:
    log_probs, blank = case
    others = [label for label in range(log_probs.shape[1]) if label != blank]
    without = data.draw(st.sampled_from(others))
    before = log_probs.copy()
    softened = soften(log_probs, 1.0, without=without)
    np.testing.assert_array_equal(log_probs, before)
    np.testing.assert_allclose(np.exp(softened).sum(axis=1), 1, rtol=1e-4)
    assert np.all(softened[:, without] == -np.inf)
    # what is left keeps its proportions
    rest = np.exp(np.delete(log_probs, without, axis=1).astype(np.float64))
    np.testing.assert_allclose(
        np.exp(np.delete(softened, without, axis=1)),
        rest / rest.sum(axis=1, keepdims=True),
        rtol=1e-3,
    )
    assert without not in {span.label for span in greedy(softened, blank)}
    for least in (0, 1e-4):
        for labels, score in prefix_beam(softened, blank, width=50, least=least):
            assert without not in labels or score == -np.inf


def certain(path: list[int], classes: int) -> NDArray[np.float32]:
    """Log-probabilities of a network that has no doubt."""
    logits = np.full((len(path), classes), -100, np.float32)
    logits[np.arange(len(path)), path] = 0
    return soften(logits, 1.0)
