"""Trainings to compare: equal conditions, and a network of one head through the same loop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pytest

from recognizer.prepare import prepare
from recognizer.recognizer import Recognizer
from samples import scrawls
from tools.bench_reading import curve as curve_module
from tools.bench_reading import tutorial
from tools.bench_reading.curve import Curve, Point, grow
from tools.bench_reading.problem import Problem
from tools.bench_reading.trial import INGREDIENTS, Trial, corpus_of, some, train
from trainer.checkpoint import Checkpoint
from trainer.corpus import Corpus
from trainer.datasets.base import Sample, Split
from trainer.datasets.synthetic import SyntheticDataset
from trainer.network import reader
from trainer.sizes import DEFINITIONS, STRIDE, Precision


@dataclass(frozen=True)
class Named:
    """A set of ten scrawls."""

    name: str
    licence: str = "ours"

    @property
    def skipped(self) -> Mapping[str, int]:
        return {}

    def samples(self, split: Split) -> Sequence[Sample]:
        return scrawls(10) if split == "train" else ()


@pytest.fixture
def corpus() -> Corpus:
    return Corpus.of([SyntheticDataset(train=24, val=6, test=6, level="word")])


def test_the_tutorial_gets_the_input_and_the_time_of_the_small_network() -> None:
    mine, theirs = Trial("small", 5).recipe(), Trial("tutorial", 5).recipe()
    assert theirs == mine
    assert mine.minutes == 5
    # time alone ends both
    assert min(mine.epochs, mine.patience) > 10_000


def test_plain_training_changes_what_the_tutorial_does_differently() -> None:
    plain = Trial("tutorial", 5, plain=True).recipe()
    assert (plain.augmentation, plain.batch_size, plain.weight_decay) == (0, 64, 0)
    assert plain.input() == Trial("small", 5).recipe().input()


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(Problem, match="no network 'huge'; known: tutorial, tiny"):
        Trial("huge", 1).recipe()


def test_every_kind_of_trial_has_a_folder_of_its_own() -> None:
    trials = [
        Trial("small", 1),
        Trial("small", 2),
        Trial("small", 1, share=0.1),
        Trial("small", 1, share=0.125),
        Trial("tutorial", 1),
        Trial("tutorial", 1, plain=True),
        Trial("tutorial", 1, precision="mixed_bfloat16"),
        *(Trial("small", 1, without=each) for each in INGREDIENTS),
    ]
    assert len({trial.name for trial in trials}) == len(trials)


def test_smaller_shares_are_parts_of_larger_ones() -> None:
    samples = scrawls(40)
    tenth, half = some(samples, 0.1, 1), some(samples, 0.5, 1)
    assert (len(tenth), len(half)) == (4, 20)
    assert {sample.id for sample in tenth} < {sample.id for sample in half}
    assert some(samples, 1.0, 1) == samples
    assert len(some(samples, 0.001, 1)) == 1
    assert some(samples, 0.5, 2) != half


def test_a_trial_without_an_ingredient_differs_in_that_alone(corpus: Corpus) -> None:
    whole = Trial("small", 5)
    unaugmented = Trial("small", 5, without="augmentation").recipe()
    assert unaugmented == replace(whole.recipe(), augmentation=0.0)
    assert Trial("small", 5, without="averaging").recipe() == replace(whole.recipe(), averaging=0)
    both = Corpus.of([Named("lines/own"), *corpus.datasets])
    real = Trial("small", 5, without="synthetic")
    assert real.recipe() == whole.recipe()
    assert {sample.document for sample in real.lines(both)} == {"scrawls"}
    assert len(whole.lines(both)) == len(real.lines(both)) + 24


def test_a_trial_without_any_line_left_says_so(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="small-no-synthetic-5min: there is nothing left"):
        train(Trial("small", 5, without="synthetic"), corpus, tmp_path)


def test_the_tutorial_network_has_the_time_steps_of_ours_and_learns() -> None:
    model = tutorial.build(32, classes=5)
    ink = np.random.default_rng(0).random((4, 32, 64, 1), np.float32)
    labels = np.tile(np.array([[1, 2, 3, 0]], np.int32), (4, 1))
    targets = {"labels": labels, "lengths": np.full(4, 3, np.int32)}
    logits, _ = model.predict_on_batch(ink)
    assert logits.shape == (4, 64 // STRIDE, 5)
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    losses = [float(model.train_on_batch(ink, targets)) for _ in range(25)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_trial_goes_on_from_its_checkpoint_and_is_exported(
    precision: Precision, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial("tutorial", minutes=0.05, share=0.5, precision=precision)
    assert train(trial, corpus, tmp_path, stopped=lambda: True) is None
    assert (tmp_path / "checkpoint" / "state.json").is_file()
    trained = train(trial, corpus, tmp_path)
    assert trained is not None
    assert trained.lines == 12
    assert trained.seconds >= 3
    recognizer = Recognizer.load(trained.bundle)
    assert recognizer.manifest.input == trial.recipe().input()
    ready = prepare(corpus.samples("test")[0].image(), recognizer.manifest.input)
    served = reader(Checkpoint(tmp_path / "checkpoint").best())
    expected = served.predict_on_batch(ready.ink[np.newaxis, ..., np.newaxis])[0]
    np.testing.assert_allclose(recognizer.infer([ready])[0], expected, atol=1e-4)
    with pytest.raises(Problem, match=r"other settings \(seed\)\. Remove .* to train anew"):
        train(replace(trial, seed=2), corpus, tmp_path)
    monkeypatch.setitem(DEFINITIONS, "small", replace(DEFINITIONS["small"], dropout=0.5))
    with pytest.raises(Problem, match=r"on other data .*Remove .* to train anew"):
        train(trial, corpus, tmp_path)


def test_corpora_are_opened_by_name(tmp_path: Path) -> None:
    assert len(corpus_of(["synthetic:7"], tmp_path).samples("train")) == 7


def test_weights_are_refused_rather_than_left_out(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="leave out @WEIGHT"):
        corpus_of(["synthetic:7@0.5"], tmp_path)


def point(trial: Trial, data: str, lines: int, cer: float) -> Point:
    return Point(
        network=trial.network,
        minutes=trial.minutes,
        seed=trial.seed,
        data=data,
        share=trial.share,
        precision=trial.precision,
        settings=trial.settings(),
        lines=lines,
        epochs=3,
        cer={"hooker": cer, "all": cer / 2},
    )


def test_points_that_are_done_are_not_trained_again(corpus: Corpus, tmp_path: Path) -> None:
    trials = [Trial("small", 60, share=share) for share in (0.5, 1.0)]
    done = [point(trial, corpus.digest(), 10, 0.5) for trial in trials]
    # of other data, so of no use here
    foreign = point(trials[0], "other", 10, 0.9)
    Curve(command="make", points=[foreign, *done]).save(tmp_path / "curve.json")
    found = grow(trials, corpus, [], tmp_path, "make bench-curve")
    assert found.points == done
    assert Curve.load(tmp_path / "curve.json") == found


def test_a_point_is_of_its_recipe_its_network_and_the_lines_that_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial("small", 60)
    done = point(trial, "data", 10, 0.5)
    Curve(command="make", points=[done]).save(tmp_path / "curve.json")
    (kept,) = Curve.load(tmp_path / "curve.json").points
    assert kept.of(trial, "data", None)
    # a look at a few lines is no point of the curve of all
    assert not kept.of(trial, "data", 5)
    assert not kept.model_copy(update={"limit": 5}).of(trial, "data", None)
    assert kept.model_copy(update={"limit": 5}).of(trial, "data", 5)
    for other in (replace(trial, plain=True), replace(trial, seed=2), replace(trial, minutes=5)):
        assert not kept.of(other, "data", None)
    assert not kept.model_copy(update={"settings": {}}).of(trial, "data", None)
    for change in ({"dropout": 0.5}, {"stages": ((32, 1),)}):
        with monkeypatch.context() as later:
            later.setitem(DEFINITIONS, "small", replace(DEFINITIONS["small"], **change))
            assert not kept.of(trial, "data", None)


def test_a_point_of_few_lines_is_not_taken_for_one_of_all(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int | None] = []

    def measure(trial: Trial, *rest: object) -> Point:
        limit = rest[-1]
        assert limit is None or isinstance(limit, int)
        measured.append(limit)
        return point(trial, corpus.digest(), 10, 0.5).model_copy(update={"limit": limit})

    monkeypatch.setattr(curve_module, "_measure", measure)
    for limit in (5, None, None):
        grow([Trial("small", 60)], corpus, [], tmp_path, "make bench-curve", limit=limit)
    assert measured == [5, None]


def test_a_curve_is_drawn_and_tabled_in_the_order_of_lines(tmp_path: Path) -> None:
    shares = {1.0: (1000, 0.1), 0.1: (100, 0.4)}
    points = [
        point(Trial("small", 60, share=share), "data", lines, cer)
        for share, (lines, cer) in shares.items()
    ]
    curve = Curve(command="make bench-curve", points=points)
    curve.draw(tmp_path / "curve.svg")
    assert 1000 < (tmp_path / "curve.svg").stat().st_size < 100_000
    rows = curve.page("reading/curve.svg").splitlines()[-2:]
    assert rows == ["| 10 % | 100 | 3 | 40.0 % | 20.0 % |", "| 100 % | 1000 | 3 | 10.0 % | 5.0 % |"]


def test_a_file_that_is_no_curve_is_named(tmp_path: Path) -> None:
    (tmp_path / "curve.json").write_text("[]")
    with pytest.raises(Problem, match=r"cannot be used.*Train anew"):
        Curve.load(tmp_path / "curve.json")
