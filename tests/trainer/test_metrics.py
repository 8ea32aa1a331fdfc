"""Error rates against values computed by hand."""

import pytest

from trainer.metrics import Scores, score


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
