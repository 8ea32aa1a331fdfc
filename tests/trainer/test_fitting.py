"""Decoding and confidences fitted with a real network; slow parts are shared."""

from pathlib import Path

import numpy as np
import pytest

from bundles import bars, make_bundle
from recognizer import image
from recognizer.image import Gray
from recognizer.recognizer import Recognizer
from rich_bundles import make_rich_bundle
from trainer.decoding import tuning, vocabulary
from trainer.decoding.fitting import diagnose, enriched, fit

TEXTS = ["aa a aaa", "a aa", "aaa aaa a", "a a aa", "aa aa"]


class Bars:
    """A sample of bars, which the tiny bundle reads; some truths are not what is drawn."""

    def __init__(self, number: int) -> None:
        self.drawn = TEXTS[number % len(TEXTS)]
        # one in four has a letter that no bundle could read
        self.text = self.drawn if number % 4 else self.drawn.replace("a", "b", 1)
        self.id = self.document = str(number)

    def image(self) -> Gray:
        return image.decode(bars(self.drawn))


class Broken(Bars):
    def image(self) -> Gray:
        raise OSError("no such file")


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "LINES", 50)
    known = {"a": 0.5, "aa": 0.3, "aaa": 0.2}
    monkeypatch.setattr(vocabulary, "frequencies", lambda language: known)


def test_confidences_come_to_mean_what_they_say(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "plain")
    samples = [*map(Bars, range(60)), Broken(60)]
    decoding = fit(bundle, samples, TEXTS)
    assert set(decoding.calibration) == {"greedy", "beam", "lexicon"}
    reader = Recognizer(enriched(bundle, decoding, tmp_path / "rich"))
    figures = diagnose(reader, samples, tmp_path / "plots")
    for decoder in reader.decoders:
        assert figures[f"ece_{decoder}"] < 0.05
        # wrong lines look like right ones here, so all must be checked
        assert figures[f"to_check_{decoder}"] == pytest.approx(1)
    found = {file.name for file in (tmp_path / "plots").iterdir()}
    assert found == {"risk.png", *(f"reliability-{d}.png" for d in reader.decoders)}
    before = Recognizer(bundle).read([samples[1].image()])[0]
    after = reader.read([samples[1].image()])[0]
    assert before.text == after.text
    assert before.confidence > 0.99 > after.confidence


def test_a_network_that_reads_nothing_gets_no_language_model(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "plain", "c")
    decoding = fit(bundle, [Bars(number) for number in range(40)], TEXTS)
    assert decoding.language is None
    assert decoding.lexicon is None
    assert Recognizer(enriched(bundle, decoding, tmp_path / "out")).decoders == ("greedy", "beam")


def test_what_the_version_before_knew_of_texts_goes_on_where_it_reads_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, samples = make_bundle(tmp_path / "plain"), [Bars(number) for number in range(40)]
    base = make_rich_bundle(tmp_path / "base")
    ours = fit(bundle, samples, TEXTS, base)
    assert ours.linguistics
    assert "word frequencies" in ours.linguistics.source
    # new ones that would rather write nothing
    silent = tuning.FIRST_WORDS.model_copy(update={"bonus": -30.0})
    monkeypatch.setattr(tuning, "tune", lambda *_: (tuning.FIRST_LANGUAGE, silent))
    kept = fit(bundle, samples, TEXTS, base)
    assert kept.linguistics
    assert dict(kept.linguistics.words) == {"a": 5, "aa": 3}
    assert kept.lexicon == base.manifest.lexicon
    read = Recognizer(enriched(bundle, kept, tmp_path / "kept"))
    assert "lexicon" in read.decoders


def test_without_samples_it_goes_on_whole(tmp_path: Path) -> None:
    bundle, base = make_bundle(tmp_path / "plain"), make_rich_bundle(tmp_path / "base")
    kept = fit(bundle, [], TEXTS, base)
    assert kept.calibration == base.manifest.calibration
    reader = Recognizer(enriched(bundle, kept, tmp_path / "kept"))
    assert reader.best_decoder == "lexicon"


def test_without_samples_nothing_is_fitted(tmp_path: Path) -> None:
    decoding = fit(make_bundle(tmp_path / "plain"), [], TEXTS)
    assert decoding.temperature == 1
    assert decoding.language is None
    assert np.isclose(decoding.calibration["greedy"].right, 1)
