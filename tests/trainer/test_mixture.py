"""Sources drawn from at rates of their own."""

from collections import Counter
from pathlib import Path

import pytest

from line_sets import lines
from recognizer.alphabet import Alphabet
from recognizer.manifest import Input
from samples import Scrawl, scrawls
from trainer.batches import Batch, Pipeline
from trainer.corpus import Corpus
from trainer.datasets.base import DatasetError, Sample
from trainer.datasets.catalogue import open_dataset
from trainer.datasets.weighted import Weighted, without_weight
from trainer.mixture import Mixture, Part

SPEC = Input(height=32, stride=4, margin=8, buckets=[128, 256, 512])


def named(prefix: int, count: int) -> list[Sample]:
    return [Scrawl(f"{prefix}{number:02}", "ab", 60) for number in range(count)]


def ids(samples: list[Sample]) -> list[str]:
    return [sample.id for sample in samples]


def test_half_of_a_source_an_epoch_and_the_other_half_in_the_next() -> None:
    part = Part(named(1, 10), 0.5)
    assert len(part) == 5
    first, second, third = (ids(part.draw(7, epoch, 0)) for epoch in range(3))
    assert len(first) == len(second) == 5
    assert sorted(first + second) == ids(named(1, 10))
    assert set(third) not in (set(first), set(second))


def test_a_source_drawn_twice_shows_each_sample_twice() -> None:
    drawn = Counter(ids(Part(named(1, 6), 2).draw(7, 3, 0)))
    assert set(drawn.values()) == {2}
    assert len(drawn) == 6


@pytest.mark.parametrize("weight", [0.01, 0.3, 0.7, 1.0, 1.4, 3.5])
def test_over_the_epochs_all_samples_come_equally_often(weight: float) -> None:
    part = Part(named(1, 7), weight)
    drawn = Counter(each for epoch in range(70) for each in ids(part.draw(1, epoch, 0)))
    assert len(drawn) == 7
    assert max(drawn.values()) - min(drawn.values()) <= 1
    assert sum(drawn.values()) == 70 * len(part)


def test_what_an_epoch_draws_follows_from_seed_and_number_alone() -> None:
    mixture = Mixture((Part(named(1, 9), 0.5), Part(named(2, 4), 2.0), Part([], 3.0)))
    assert len(mixture) == 4 + 8
    later = ids(mixture.draw(1, 5))
    for epoch in range(5):
        mixture.draw(1, epoch)
    assert ids(mixture.draw(1, 5)) == later
    assert ids(mixture.draw(2, 5)) != later
    assert Counter(each[0] for each in later) == {"1": 4, "2": 8}


def shown(batches: list[Batch]) -> list[str]:
    return [sample.id for batch in batches for sample in batch.samples[: batch.fresh]]


def test_batches_of_a_mixture_can_be_repeated_from_any_epoch() -> None:
    mixture = Mixture((Part(scrawls(20), 0.5), Part(named(5, 3), 3.0)))
    with Pipeline(SPEC, Alphabet("ab"), workers=1) as pipeline:
        epochs = [list(pipeline.batches(mixture, 4, epoch=(3, n))) for n in range(2)]
        again = list(pipeline.batches(mixture, 4, epoch=(3, 1)))
        for drawn in epochs:
            assert len(shown(drawn)) == len(mixture)
        assert shown(epochs[0]) != shown(epochs[1]) == shown(again)
        for one, other in zip(epochs[1], again, strict=True):
            assert (one.ink == other.ink).all()
        # what comes twice in an epoch is not changed twice in the same way
        images = [
            batch.ink[row].tobytes()
            for batch in epochs[0]
            for row in range(batch.fresh)
            if batch.samples[row].id == "500"
        ]
    assert len(images) == len(set(images)) == 3


def test_weights_are_written_behind_a_source(tmp_path: Path) -> None:
    lines(tmp_path / "set", "a.png\ttrain\tcab", "a.png\ttrain\tbad", "a.png\tval\tcab")
    dataset = open_dataset(f"lines:{tmp_path / 'set'}@0.5", tmp_path)
    assert isinstance(dataset, Weighted)
    assert (dataset.name, dataset.weight) == ("lines/set", 0.5)
    assert len(dataset.samples("train")) == 2
    assert "licence" in dataset.licence
    assert dataset.skipped == {}
    plain = open_dataset(f"lines:{tmp_path / 'set'}@1", tmp_path)
    assert not isinstance(plain, Weighted)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("synthetic:500@2", ("synthetic:500", 2.0)),
        ("lines:a/b@.25", ("lines:a/b", 0.25)),
        ("lines:me@home", ("lines:me@home", 1.0)),
        ("lines:me@2@1", ("lines:me@2", 1.0)),
        ("peraire@3", ("peraire", 3.0)),
    ],
)
def test_what_is_a_weight_and_what_is_not(name: str, expected: tuple[str, float]) -> None:
    assert without_weight(name) == expected


@pytest.mark.parametrize("name", ["synthetic@0", "synthetic@1000"])
def test_weights_out_of_all_proportion_are_refused(name: str) -> None:
    with pytest.raises(DatasetError, match="above 0 and at most 100"):
        without_weight(name)


def test_a_corpus_draws_by_weight_and_measures_on_all(tmp_path: Path) -> None:
    one = lines(tmp_path / "one", *["a.png\ttrain\tcab"] * 4, "a.png\tval\tcab")
    two = lines(tmp_path / "two", *["a.png\ttrain\tbad"] * 4, "a.png\tval\tbad")
    plain = Corpus.of([one, two])
    assert plain.training() == plain.samples("train")
    assert Corpus.of([Weighted(one, 1.0), two]).digest() == plain.digest()

    mixed = Corpus.of([Weighted(one, 0.5), two])
    training = mixed.training()
    assert isinstance(training, Mixture)
    assert len(training) == 6
    assert Counter(each.text for each in training.draw(1, 0)) == {"cab": 2, "bad": 4}
    assert mixed.name == "lines/one@0.5 + lines/two"
    assert len(mixed.samples("train")) == 8
    assert len(mixed.handwriting("val")) == 2
    assert len({mixed.digest(), plain.digest(), Corpus.of([Weighted(one, 2.0), two]).digest()}) == 3
