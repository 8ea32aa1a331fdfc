"""Judging readings, and showing them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bundles import bars
from recognizer import image
from recognizer.errors import UnreadableImageError
from recognizer.image import Gray
from recognizer.recognizer import Recognizer
from trainer import report
from trainer.evaluation import Evaluation, Judged, evaluate
from trainer.state import Epoch


@dataclass(frozen=True)
class Shown:
    """A sample of plain paper."""

    text: str
    id: str = "one"
    document: str = "letter"
    broken: bool = False

    def image(self) -> Gray:
        if self.broken:
            raise UnreadableImageError("cut off")
        return np.full((32, 200), 255, np.uint8)


@dataclass(frozen=True)
class Drawn:
    """A sample that says what its bars say."""

    text: str
    id: str = "bars"
    document: str = "letter"

    def image(self) -> Gray:
        return image.decode(bars(self.text))


def judged(truth: str, text: str) -> Judged:
    return Judged(Shown(truth, id=truth), text, 0.5)


def test_a_broken_image_is_counted_and_the_rest_is_read(bundle: "object", tmp_path: Path) -> None:
    recognizer = Recognizer.load(bundle("a"))  # type: ignore[operator]
    found = evaluate(recognizer, [Shown("x"), Shown("y", id="two", broken=True), Shown("z")])
    assert [each.sample.text for each in found.judged] == ["x", "z"]
    assert found.unreadable == 1


def test_progress_reaches_the_number_of_samples(bundle: "object") -> None:
    done: list[int] = []
    recognizer = Recognizer.load(bundle("a"))  # type: ignore[operator]
    evaluate(recognizer, [Shown("x")] * 70, progress=done.append)
    assert done == [64, 70]


def test_the_worst_have_most_edits_for_their_length() -> None:
    found = Evaluation((judged("abcdef", "abcdeX"), judged("ab", "XY"), judged("abc", "abc")), 0)
    assert [each.sample.text for each in found.worst(2)] == ["ab", "abcdef"]


def test_confusions_tell_replaced_missed_and_added() -> None:
    found = Evaluation((judged("abc", "axc"), judged("abc", "ac"), judged("ac", "axc")), 0)
    assert found.confusions() == Counter({("b", "x"): 1, ("b", ""): 1, ("", "x"): 1})


def test_tables_are_tab_separated_with_a_header() -> None:
    assert report.table_of_worst([judged("ab", "xb")]).splitlines() == [
        "edits\tconfidence\timage\ttruth\treading",
        "1\t0.500\tab\tab\txb",
    ]
    assert report.table_of_confusions(Counter({("a", ""): 3})).splitlines() == [
        "count\ttrue\tread",
        "3\ta\t∅",
    ]


def test_pictures_are_drawn_for_any_text_and_for_none(tmp_path: Path) -> None:
    epochs = [Epoch(n, 1 / n, 1.2 / n, 0.5 / n, 0.9 / n, 3 / n, 10, 1e-3, n) for n in (1, 2, 3)]
    report.plot_losses(epochs, tmp_path / "loss.png")
    report.plot_errors(epochs, tmp_path / "cer.png")
    # a dollar sign and a backslash are mathematics to a plotting library
    strange = [judged("£5 & $x^2$", "$5 \\frac"), judged("ok", "ok")]
    report.picture_readings(strange, tmp_path / "readings.png")
    report.picture_readings([], tmp_path / "none.png")
    report.plot_confusions(Evaluation(tuple(strange), 0).confusions(), tmp_path / "confusions.png")
    report.plot_confusions(Counter(), tmp_path / "no-confusions.png")
    for file in tmp_path.glob("*.png"):
        with Image.open(file) as image:
            # something is drawn: a picture of one colour shows nothing
            extrema = image.convert("L").getextrema()
            assert image.width > 300
            assert extrema[0] < extrema[1] or file.stem == "none"


def test_a_set_of_words_is_read_without_spaces(bundle: "object") -> None:
    recognizer = Recognizer.load(bundle("a"))  # type: ignore[operator]
    sample = Drawn("aa a")
    assert [each.text for each in evaluate(recognizer, [sample]).judged] == ["aa a"]
    found = evaluate(recognizer, [sample], level="word").judged[0]
    assert " " not in found.text
    assert found.text
