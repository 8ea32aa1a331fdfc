"""How far confidences can be believed: measured, drawn, and fitted on validation samples.

A character that was read is right where the cheapest edits from the reading to the truth leave
it as it is; characters that were missed have no confidence and count only in error rates.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from recognizer.alphabet import SPACE
from recognizer.manifest import Calibration
from recognizer.reading import Reading

BINS = 15
FEWEST_CHARACTERS = 200
"""With fewer to fit on, confidences are left as they are."""

Binning = Literal["width", "mass"]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Characters:
    """Characters as read, pooled: `confidence` (n,) between 0 and 1, and whether each is right."""

    confidence: Values
    right: NDArray[np.bool_]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, Reading]]) -> "Characters":
        """Of truths and their readings. Spaces around a text do not count."""
        confidence: list[float] = []
        right: list[bool] = []
        for truth, reading in pairs:
            characters = list(reading.characters)
            while characters and characters[0].text == SPACE:
                characters.pop(0)
            while characters and characters[-1].text == SPACE:
                characters.pop()
            confidence += [each.confidence for each in characters]
            right += correct(truth, "".join(each.text for each in characters))
        return cls(np.array(confidence, np.float64), np.array(right, bool))


def correct(truth: str, text: str) -> list[bool]:
    """For each character of `text` whether it is right."""
    right = [True] * len(text)
    for edit in Levenshtein.editops(text, truth):
        if edit.tag != "insert":
            right[edit.src_pos] = False
    return right


@dataclass(frozen=True)
class Bin:
    """Characters of like confidence: their mean confidence, share of right ones, number."""

    confidence: float
    accuracy: float
    count: int


def bins(found: Characters, *, count: int = BINS, by: Binning = "width") -> list[Bin]:
    """Characters in bins of equal width or of equal number, empty ones left out."""
    confidence = found.confidence
    if not len(confidence):
        return []
    order = np.argsort(confidence, kind="stable")
    if by == "width":
        places = np.minimum((confidence[order] * count).astype(np.int64), count - 1)
    else:
        places = np.arange(len(confidence)) * count // len(confidence)
    made = []
    for place in np.unique(places):
        inside = order[places == place]
        made.append(
            Bin(float(confidence[inside].mean()), float(found.right[inside].mean()), len(inside))
        )
    return made


def calibration_error(found: Characters, *, count: int = BINS, by: Binning = "width") -> float:
    """Expected calibration error (Naeini et al. 2015): mean gap of the bins, by their size."""
    whole = max(len(found.confidence), 1)
    made = bins(found, count=count, by=by)
    return sum(each.count * abs(each.confidence - each.accuracy) for each in made) / whole


@dataclass(frozen=True)
class RiskCoverage:
    """Lines from the surest on: with the first share `coverage` of them, CER `risk`."""

    coverage: Values
    risk: Values

    @classmethod
    def of(cls, lines: Iterable[tuple[float, str, str]]) -> "RiskCoverage":
        """Of (confidence, truth, reading). Lines of equal confidence are taken together."""
        rows = sorted(
            ((c, Levenshtein.distance(truth, text), len(truth)) for c, truth, text in lines),
            key=lambda row: -row[0],
        )
        if not rows:
            return cls(np.zeros(0), np.zeros(0))
        confidence, edits, lengths = np.array(rows, np.float64).T
        last = np.r_[confidence[1:] != confidence[:-1], True]
        risk = np.cumsum(edits) / np.maximum(np.cumsum(lengths), 1)
        return cls((np.arange(1, len(rows) + 1) / len(rows))[last], risk[last])

    def to_check(self, most: float = 0.01) -> float:
        """Share of lines a person must check so that the rest has a CER of at most `most`."""
        good = self.coverage[self.risk <= most]
        return 1.0 - float(good.max(initial=0.0))


def fit_temperature(characters: Callable[[float], Characters]) -> float:
    """The temperature under which being right is least surprising (Guo et al. 2017).

    Args:
        characters: the characters of a fixed set as read under a temperature.
    """
    low, high = math.log(0.25), math.log(8.0)
    if len(characters(1.0).right) < FEWEST_CHARACTERS:
        return 1.0
    shrink = (math.sqrt(5) - 1) / 2  # golden section: the surprise has one minimum
    left, right = high - shrink * (high - low), low + shrink * (high - low)
    cost = {at: surprise(characters(math.exp(at))) for at in (left, right)}
    while high - low > 0.02:
        if cost[left] < cost[right]:
            high, right = right, left
            left = high - shrink * (high - low)
            cost[left] = surprise(characters(math.exp(left)))
        else:
            low, left = left, right
            right = low + shrink * (high - low)
            cost[right] = surprise(characters(math.exp(right)))
    return math.exp((low + high) / 2)


def surprise(found: Characters) -> float:
    """Mean negative log-likelihood of being right or wrong, in nats."""
    sure = np.clip(found.confidence, 1e-6, 1 - 1e-6)
    return float(-np.log(np.where(found.right, sure, 1 - sure)).mean())


def fit_calibration(found: Characters) -> Calibration:
    """Bend confidences so that they fit (Kull et al. 2017), never against their order."""
    if len(found.right) < FEWEST_CHARACTERS or found.right.all() or not found.right.any():
        return Calibration(right=1.0, wrong=1.0, offset=0.0)
    sure = np.clip(found.confidence, 1e-6, 1 - 1e-6)
    features = np.stack([np.log(sure), -np.log(1 - sure), np.ones(len(sure))])
    used = [0, 1, 2]
    weights = _logistic(features, found.right)
    while (against := [place for place in used[:-1] if weights[place] < 0]) and len(used) > 1:
        used.remove(min(against, key=lambda place: weights[place]))
        weights = np.zeros(3)
        weights[used] = _logistic(features[used], found.right)
    right, wrong, offset = np.clip(weights, [0, 0, -20], 20).tolist()
    return Calibration(right=right, wrong=wrong, offset=offset)


def _logistic(features: Values, right: NDArray[np.bool_]) -> Values:
    """Weights of features (weights, characters) in the log-odds of being right, by Newton."""
    weights = np.zeros(len(features))
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(weights @ features, -30, 30)))
        # the small ridge keeps a step finite where confidences hardly differ
        bend = (features * (chance * (1 - chance))) @ features.T + 1e-3 * np.eye(len(features))
        step = np.linalg.solve(bend, features @ (right - chance))
        weights = weights + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    return weights


def plot_reliability(found: Characters, file: Path, *, title: str = "") -> None:
    """Share of right characters against confidence, and how many there are of each."""
    made = bins(found)
    figure = Figure(figsize=(5.5, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    upper.plot([0, 1], [0, 1], "--", color="0.6", linewidth=1)
    upper.plot([each.confidence for each in made], [each.accuracy for each in made], "o-")
    width, mass = (calibration_error(found, by=by) for by in ("width", "mass"))
    text = f"ECE {width:.3f} (equal width), {mass:.3f} (equal mass)\n{len(found.right)} characters"
    upper.text(0.03, 0.9, text, parse_math=False)
    upper.set_ylabel("share of right characters")
    upper.set_title(title or "Reliability of characters", parse_math=False)
    upper.set_ylim(0, 1)
    lower.bar([each.confidence for each in made], [each.count for each in made], width=0.05)
    lower.set_yscale("log")
    lower.set_ylabel("characters")
    lower.set_xlabel("confidence")
    lower.set_xlim(0, 1)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def plot_risk(curves: Sequence[tuple[str, RiskCoverage]], file: Path) -> None:
    """CER of the lines that nobody checks against their share, the surest first."""
    figure = Figure(figsize=(6.5, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves:
        label = f"{name}: {curve.to_check():.0%} to check"
        axes.plot(curve.coverage, curve.risk, label=label)
    axes.axhline(0.01, color="0.6", linestyle="--", linewidth=1)
    axes.set_xlabel("share of lines left unchecked, the surest first")
    axes.set_ylabel("CER of them")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(title="for a CER of at most 1 %")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
