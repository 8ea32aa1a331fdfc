"""From log-probabilities per time step to texts: CTC decoding in NumPy.

Everywhere `log_probs` has the shape (steps, classes), natural logarithms, each row summing
to one in probability, and `blank` is the class that writes nothing (Graves et al. 2006,
"Connectionist Temporal Classification", section 3).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LogProbs = NDArray[np.float32]
Labels = tuple[int, ...]

NEVER = -np.inf

TOGETHER = 64
"""Steps that are softened at a time."""


class Span(NamedTuple):
    """One written label: its time steps, `start` to before `stop`, and its probability."""

    label: int
    start: int
    stop: int
    confidence: float


def soften(log_probs: LogProbs, temperature: float, *, without: int | None = None) -> LogProbs:
    """Divide the logits by a temperature (Guo et al. 2017, section 4.2), and forbid a class.

    Log-probabilities are logits up to a constant per step, so nothing else is needed.
    """
    softened: LogProbs = log_probs / np.float32(temperature)
    if without is not None:
        softened[:, without] = NEVER
    # in place and some steps at a time: memory that is new to the process costs more than the sums
    for first in range(0, len(softened), TOGETHER):
        steps = softened[first : first + TOGETHER]
        steps -= steps.max(axis=1, keepdims=True)
        steps -= np.log(np.exp(steps).sum(axis=1, keepdims=True))
    return softened


def greedy(log_probs: LogProbs, blank: int) -> list[Span]:
    """The most probable class at each step, repeats merged, blanks dropped.

    A label's confidence is the highest probability among its steps.
    """
    path = log_probs.argmax(axis=1)
    return _spans(path, log_probs, blank)


def _spans(path: NDArray[np.intp], log_probs: LogProbs, blank: int) -> list[Span]:
    if not len(path):
        return []
    starts = np.flatnonzero(np.r_[True, path[1:] != path[:-1]])
    stops = np.r_[starts[1:], len(path)]
    highest = np.maximum.reduceat(log_probs[np.arange(len(path)), path], starts)
    return [
        Span(int(path[start]), int(start), int(stop), float(np.exp(top)))
        for start, stop, top in zip(starts, stops, highest, strict=True)
        if path[start] != blank
    ]


def align(log_probs: LogProbs, labels: Labels, blank: int) -> list[Span]:
    """The most probable path that writes `labels` (Viterbi over the CTC lattice).

    Raises:
        ValueError: there are too few steps to write them.
    """
    if not labels:
        return []
    steps = len(log_probs)
    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    emissions = log_probs[:, states]
    # a label may be reached past the blank before it, unless it repeats the label before
    skips = np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    score = np.full(len(states), NEVER)
    score[:2] = emissions[0, :2]
    came = np.zeros((steps, len(states)), np.int8)
    for step in range(1, steps):
        moves = np.full((3, len(states)), NEVER)
        moves[0] = score
        moves[1, 1:] = score[:-1]
        moves[2, 2:] = np.where(skips[2:], score[:-2], NEVER)
        came[step] = moves.argmax(axis=0)
        score = moves.max(axis=0) + emissions[step]
    state = len(states) - 1 if score[-1] >= score[-2] else len(states) - 2
    if score[state] == NEVER:
        raise ValueError(f"{steps} steps cannot write {len(labels)} labels")
    path = np.empty(steps, np.intp)
    for step in range(steps - 1, -1, -1):
        path[step] = state
        state -= int(came[step, state])
    spans = []
    for index, label in enumerate(labels):
        inside = np.flatnonzero(path == 2 * index + 1)
        top = float(np.exp(log_probs[inside, label].max()))
        spans.append(Span(label, int(inside[0]), int(inside[-1]) + 1, top))
    return spans
