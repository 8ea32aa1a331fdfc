"""Prefix beam search over CTC outputs, alone or guided by what is known of texts."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recognizer.decode import NEVER, Labels, LogProbs

Scores = NDArray[np.float32]
State = tuple[int, ...]


class Guide(Protocol):
    """What is known of texts, apart from their image. A text is read label by label."""

    @property
    def start(self) -> State:
        """The state before anything is written."""

    def scores(self, states: Sequence[State]) -> Scores:
        """What each label adds to the logarithm of a prefix in a state, shape (states, classes).

        In the blank's place: what it adds that the text ends here.
        """

    def after(self, state: State, label: int) -> State:
        """The state once a label is written."""


class _Prefixes:
    """All prefixes met so far as a tree; prefix 0 is the empty one."""

    def __init__(self, guide: Guide | None) -> None:
        self.parents, self.labels = [-1], [-1]
        self._children: dict[tuple[int, int], int] = {}
        self._guide = guide
        self._states: list[State] = [guide.start] if guide else [()]

    def child(self, prefix: int, label: int) -> int:
        found = self._children.get((prefix, label))
        if found is None:
            found = self._children[prefix, label] = len(self.parents)
            self.parents.append(prefix)
            self.labels.append(label)
            if self._guide:
                self._states.append(self._guide.after(self._states[prefix], label))
        return found

    def scores(self, some: Sequence[int]) -> Scores:
        assert self._guide
        return self._guide.scores([self._states[prefix] for prefix in some])

    def text(self, prefix: int) -> Labels:
        labels = []
        while prefix > 0:
            labels.append(self.labels[prefix])
            prefix = self.parents[prefix]
        return tuple(reversed(labels))


# A guide changes the order of prefixes late, when a word ends: more of them must be kept,
# and those that nothing can save dropped.
GUIDED_WIDTH, GUIDED_LEAST, GUIDED_MARGIN = 32, 1e-3, 8.0


def prefix_beam(
    log_probs: LogProbs,
    blank: int,
    *,
    width: int = 16,
    least: float = 1e-4,
    guide: Guide | None = None,
    margin: float = np.inf,
) -> list[tuple[Labels, float]]:
    """Prefix beam search (Graves 2012, "Supervised Sequence Labelling", section 7.5.3).

    Sums the probability of all paths that write the same labels, where greedy decoding
    follows a single path. A guide's scores are added to the logarithms as labels are written
    (Hannun et al. 2014, "First-Pass Large Vocabulary Continuous Speech Recognition").

    Args:
        log_probs: shape (steps, classes), as in `recognizer.decode`.
        width: prefixes kept after each step.
        least: classes below this probability at a step are not tried there. The blank
            and the last label of a prefix always are.
        guide: what else is known of texts.
        margin: prefixes this much below the best are dropped, in nats.

    Returns:
        Up to `width` pairs of labels and log-probability (with the guide's scores, where there
        is one), the most probable first.
    """
    prefixes = _Prefixes(guide)
    floor = np.log(least) if least > 0 else NEVER
    column = np.full(log_probs.shape[1], -1)
    ids, last = np.array([0]), np.array([blank])
    parents = np.array([-1])
    # the paths of a prefix that end in a blank, and the others
    in_blank, in_label = np.zeros(1), np.full(1, NEVER)
    extra = prefixes.scores([0]) if guide else np.zeros((1, 0), np.float32)
    for row in log_probs.astype(np.float64):
        tried = np.flatnonzero(row >= floor)
        tried = tried[tried != blank]
        whole = np.logaddexp(in_blank, in_label)
        in_label = in_label + row[last]
        if not len(tried):
            in_blank = whole + row[blank]
            continue
        # a doubled label needs a blank between its two
        doubled = last[:, np.newaxis] == tried
        grown = np.where(doubled, in_blank[:, np.newaxis], whole[:, np.newaxis]) + row[tried]
        if guide:
            grown += extra[:, tried]
        in_blank = whole + row[blank]
        # a prefix of the beam may also be another one grown by a label: the same text
        column[tried] = np.arange(len(tried))
        order = np.argsort(ids)
        place = np.minimum(np.searchsorted(ids[order], parents), len(ids) - 1)
        shorter, which = order[place], column[last]
        same = np.flatnonzero((ids[shorter] == parents) & (which >= 0))
        shorter, which = shorter[same], which[same]
        in_label[same] = np.logaddexp(in_label[same], grown[shorter, which])
        grown[shorter, which] = NEVER
        column[tried] = -1

        totals = np.concatenate([np.logaddexp(in_blank, in_label), grown.ravel()])
        best = np.arange(len(totals))
        if len(totals) > width:
            best = np.argpartition(-totals, width - 1)[:width]
        best = best[(totals[best] > NEVER) & (totals[best] >= totals.max() - margin)]
        stay = best[best < len(ids)]
        new = best[best >= len(ids)]
        grower, which = np.divmod(new - len(ids), len(tried))
        labels = tried[which]
        made = [
            prefixes.child(prefix, label)
            for prefix, label in zip(ids[grower].tolist(), labels.tolist(), strict=True)
        ]
        parents = np.concatenate([parents[stay], ids[grower]])
        ids = np.concatenate([ids[stay], np.array(made, np.intp)])
        last = np.concatenate([last[stay], labels])
        in_blank = np.concatenate([in_blank[stay], np.full(len(new), NEVER)])
        in_label = np.concatenate([in_label[stay], totals[new]])
        if guide:
            extra = extra[stay]
            if made:
                extra = np.concatenate([extra, prefixes.scores(made)])
    totals = np.logaddexp(in_blank, in_label)
    if guide:
        totals = totals + extra[:, blank]
    ranked = np.argsort(-totals, kind="stable")
    return [(prefixes.text(int(ids[index])), float(totals[index])) for index in ranked]


def guided(log_probs: LogProbs, blank: int, guide: Guide) -> list[tuple[Labels, float]]:
    """Texts found with a guide, and the logarithm of each one's share among them."""
    found = prefix_beam(
        log_probs,
        blank,
        width=GUIDED_WIDTH,
        least=GUIDED_LEAST,
        margin=GUIDED_MARGIN,
        guide=guide,
    )
    whole = np.logaddexp.reduce([score for _, score in found])
    return [(labels, score - float(whole)) for labels, score in found]
