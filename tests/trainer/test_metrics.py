"""Error rates against values computed by hand."""

import pytest

from trainer.metrics import Interval, Scores, cer_interval, score


def test_rates_are_summed_over_the_set() -> None:
    found = score(
        [
            ("the cat sat", "the cat sat"),
            ("kitten here", "sitting her"),  # 3 edits and 1; both words wrong
            ("abcd", ""),
        ]
    )
    assert found.samples == 3
    assert found.characters == 26
    assert found.cer == pytest.approx(8 / 26)
    assert found.wer == pytest.approx(3 / 6)
    assert found.edit_distance == pytest.approx(8 / 3)
    assert found.exact == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("truth", "reading", "cer", "wer"),
    [
        ("a b", "a b", 0, 0),
        ("a b", "ab", 1 / 3, 1),
        ("a", "a b c", 4, 2),
        ("Word", "word", 1 / 4, 1),
        ("one two", "two one", 6 / 7, 1),
        ("caf\u00e9", "cafe", 1 / 4, 1),
    ],
)
def test_rates_of_one_sample(truth: str, reading: str, cer: float, wer: float) -> None:
    found = score([(truth, reading)])
    assert (found.cer, found.wer) == (pytest.approx(cer), pytest.approx(wer))


def test_no_samples() -> None:
    assert score([]) == Scores(cer=0, wer=0, edit_distance=0, exact=0, samples=0, characters=0)


def test_an_interval_holds_the_rate_and_narrows_with_more_lines() -> None:
    few = [("abcd", "abcX" if number % 4 == 0 else "abcd") for number in range(20)]
    found, more = (cer_interval(pairs, ["one"] * len(pairs)) for pairs in (few, few * 25))
    assert found.low < score(few).cer < found.high
    assert more.low < score(few).cer < more.high
    # a square root of the number of lines
    assert (found.high - found.low) / (more.high - more.low) == pytest.approx(5, rel=0.3)
    assert (found.over, found.units) == ("lines", 20)


def test_documents_are_drawn_whole_where_there_are_several() -> None:
    """Four hands read well and one badly: drawing lines would hide how much hangs on it."""
    pairs = [("abcd", "abcd")] * 80 + [("abcd", "XXXX")] * 20
    documents = [f"letter-{number // 20}" for number in range(100)]
    over_documents = cer_interval(pairs, documents)
    over_lines = cer_interval(pairs, [str(number) for number in range(100)])
    assert (over_documents.over, over_documents.units) == ("documents", 5)
    assert (over_lines.over, over_lines.units) == ("lines", 100)
    assert over_documents.high - over_documents.low > 2 * (over_lines.high - over_lines.low)
    too_few = cer_interval(pairs, [f"letter-{number // 25}" for number in range(100)])
    assert too_few == over_lines


def test_an_interval_of_faultless_readings_or_of_none_is_zero() -> None:
    assert cer_interval([("ab", "ab")] * 9, ["a"] * 9) == Interval(0, 0, "lines", 9)
    assert cer_interval([], []) == Interval(0, 0, "lines", 0)
