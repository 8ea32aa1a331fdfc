"""The promotion gate: a new version must not read worse than the one in production."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from recognizer.recognizer import Decoder, Recognizer
from trainer.datasets.base import Dataset, Sample, is_made
from trainer.datasets.synthetic import SyntheticDataset
from trainer.evaluation import Evaluation, evaluate

LARGEST_SET = 300

SYNTHETIC = "synthetic"

LEAST_HELD = 10
"""Corrected lines that are held out, to judge by."""

TOLERANCE = 0.02
"""Of the CER on other sets, for a version that has learnt from corrections."""

NOISE = 0.001
"""Of CER itself: a few hundred lines cannot tell less from chance."""

Verdict = Literal["first", "promoted", "rejected", "forced"]


@dataclass(frozen=True)
class Decision:
    """What the gate decided and why. CERs are means over the sets of the frozen set."""

    decision: Verdict
    reason: str
    cer: float | None = None
    incumbent: str | None = None
    incumbent_cer: float | None = None
    reference: str | None = None
    """Of a version that learnt from corrections: the one it may read other sets a little worse
    than, the last in production that had learnt from none."""

    @property
    def promotes(self) -> bool:
        return self.decision != "rejected"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def frozen_sets(real: Sequence[Dataset]) -> dict[str, list[Sample]]:
    """The frozen evaluation set: synthetic lines in fonts never trained on, and real sets.

    Validation splits: a gate chooses, and test splits are not for choosing. Lines composed of
    EMNIST's characters are none that anybody wrote, and judge no version.

    Returns:
        Name of a set -> its samples, at most `LARGEST_SET`, always the same.
    """
    sets = {SYNTHETIC: list(SyntheticDataset(train=0, test=0).samples("val"))}
    for dataset in real:
        samples = dataset.samples("val")
        if samples and not is_made(dataset):
            sets[dataset.name] = spread(samples, LARGEST_SET)
    return sets


def spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many, from the whole of a split: every document has its share."""
    number = min(most, len(samples))
    return [samples[index * len(samples) // number] for index in range(number)]


def measure(
    bundle: Path, sets: Mapping[str, Sequence[Sample]], *, decoder: Decoder | None = None
) -> dict[str, Evaluation]:
    """Name of a set -> what a bundle reads of it; by default as it is served, with its best."""
    recognizer = Recognizer.load(bundle)
    how = decoder or recognizer.best_decoder
    return {name: evaluate(recognizer, samples, decoder=how) for name, samples in sets.items()}


def decide(
    new: Mapping[str, float],
    current: Mapping[str, float] | None,
    *,
    incumbent: str | None,
    new_is_real: bool = True,
    incumbent_is_real: bool = False,
    divided: Sequence[str] = (),
    incumbent_divided: Sequence[str] = (),
    corrected: Sequence[str] = (),
    reference: tuple[str, Mapping[str, float]] | None = None,
    force: bool = False,
) -> Decision:
    """Compare two versions on the frozen set.

    The mean over all sets must not be worse, nor the mean over the real ones: winning on
    synthetic lines does not make up for losing on handwriting. A version that has learnt from
    corrections must read others of them better, those it has not seen; for that the other sets
    may be read a little worse, once and not again with each such version.

    Args:
        new, current: name of a set -> CER; `current` is None without an incumbent.
        incumbent: number of the current version.
        new_is_real, incumbent_is_real: whether a version's data held any real handwriting, and
            not only lines made of fonts or of single characters.
        divided: sets that the new version learnt from in splits of its own. Either version may
            have been trained on what the other is judged by: no comparison is fair then.
        incumbent_divided: likewise, of the current version, and among those compared on.
        corrected: sets of corrections that the new version learnt from.
        reference: number and CERs of the last version that had learnt from none; None is the
            incumbent.
        force: promote whatever the comparison says.
    """
    cer = _mean(new)
    if current is None or incumbent is None:
        return Decision("first", "Nothing was in production.", cer)
    held = _mean(current)
    number, known = reference or (incumbent, current)
    frozen = {name: value for name, value in new.items() if name not in corrected}
    real = {name: value for name, value in frozen.items() if name != SYNTHETIC}
    held_out = [name for name in new if name in corrected]
    part = 1 if corrected else 0
    than = f" than version {number}" if number != incumbent else ""
    said = f"CER {cer:.2%} against {held:.2%} of version {incumbent} ({_sets(new, current)})"
    fault = None
    if divided:
        fault = (
            f"It learnt from {', '.join(divided)} in splits of its own, so that what it is "
            f"compared on, it or version {incumbent} may have been trained on"
        )
    elif incumbent_divided:
        fault = (
            f"Version {incumbent} learnt from {', '.join(incumbent_divided)} in splits of its own, "
            "and may have been trained on what both are compared on"
        )
    elif corrected and not held_out:  # fewer than it takes: `judging` has left them out
        fault = (
            "There are too few corrections to judge by: those of another document have to be held "
            "out of training"
        )
    elif held_out and _mean(new, held_out) >= _mean(current, held_out):
        fault = "It reads held-out corrections no better"
    elif not corrected and not real and incumbent_is_real and not new_is_real:
        fault = (
            f"Version {incumbent} learnt from real handwriting, this one from made lines alone, "
            "and no real set is at hand to compare them on (`trainer fetch` brings one)"
        )
    elif forgets(real, known, part=part):
        fault = f"It reads real handwriting worse{than}"
    elif forgets(frozen, known, part=part):
        fault = f"It reads the frozen set worse{than}"
    learnt = number if corrected else None
    if fault is None:
        praise = "It reads corrections better" if corrected else "It reads no worse"
        return Decision("promoted", f"{praise}: {said}.", cer, incumbent, held, learnt)
    if force:
        return Decision("forced", f"Forced. {fault}: {said}.", cer, incumbent, held, learnt)
    return Decision("rejected", f"{fault}: {said}.", cer, incumbent, held, learnt)


def forgets(new: Mapping[str, float], current: Mapping[str, float], *, part: float) -> bool:
    """Whether the mean CER over sets is above what it was; not of no set.

    Args:
        new, current: name of a set -> CER; the sets are those of `new`.
        part: of what a version may lose that has learnt from corrections.
    """
    if not new:
        return False
    known = _mean(current, list(new))
    return _mean(new) > known + part * max(TOLERANCE * known, NOISE)


def _mean(cers: Mapping[str, float], names: Sequence[str] | None = None) -> float:
    chosen = [cers[name] for name in (cers if names is None else names)]
    return sum(chosen) / len(chosen)


def _sets(new: Mapping[str, float], current: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {new[name]:.2%} / {current[name]:.2%}" for name in new)
