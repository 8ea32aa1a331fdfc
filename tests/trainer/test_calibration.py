"""How far confidences can be believed."""

from pathlib import Path

import numpy as np
import pytest

from recognizer.reading import Character, Reading, calibrated
from trainer.decoding.calibration import (
    Binning,
    Characters,
    RiskCoverage,
    bins,
    calibration_error,
    correct,
    fit_calibration,
    fit_temperature,
    plot_reliability,
    plot_risk,
)


def drawn(
    count: int, *, right: float = 1.0, wrong: float = 1.0, offset: float = 0.0, seed: int = 0
) -> Characters:
    """Characters that are right as often as their confidence, bent so, says."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(1.5, 2, count)
    said = 1 / (1 + np.exp(-odds))
    true = right * np.log(said) - wrong * np.log(1 - said) + offset
    return Characters(said, rng.random(count) < 1 / (1 + np.exp(-true)))


def reading(text: str, *confidences: float) -> Reading:
    characters = [Character(c, sure, 0, 1) for c, sure in zip(text, confidences, strict=True)]
    return Reading(text.strip(), 0.5, tuple(characters))


@pytest.mark.parametrize(
    ("truth", "text", "right"),
    [
        ("abc", "abc", [1, 1, 1]),
        ("abc", "axc", [1, 0, 1]),
        ("abc", "abxc", [1, 1, 0, 1]),
        ("abc", "ac", [1, 1]),
        ("", "a", [0]),
        ("a", "", []),
    ],
)
def test_a_character_is_right_where_it_needs_no_edit(
    truth: str, text: str, right: list[int]
) -> None:
    assert correct(truth, text) == [bool(each) for each in right]


def test_spaces_around_a_text_do_not_count() -> None:
    found = Characters.of([("ab", reading(" ax ", 0.1, 0.9, 0.4, 0.2)), ("", reading(""))])
    np.testing.assert_array_equal(found.confidence, [0.9, 0.4])
    np.testing.assert_array_equal(found.right, [True, False])


def test_calibration_error_by_hand() -> None:
    found = Characters(np.array([0.05, 0.05, 0.95, 0.95]), np.array([False, True, True, True]))
    assert calibration_error(found) == pytest.approx((2 * 0.45 + 2 * 0.05) / 4)
    assert calibration_error(found, count=1) == pytest.approx(0.25)
    assert calibration_error(Characters(np.zeros(0), np.zeros(0, bool))) == 0


@pytest.mark.parametrize("by", ["width", "mass"])
def test_honest_confidences_have_no_error(by: Binning) -> None:
    assert calibration_error(drawn(40_000), by=by) < 0.01
    assert calibration_error(drawn(40_000, right=0.4, wrong=0.4), by=by) > 0.05


def test_bins_of_equal_mass_hold_as_many_each() -> None:
    made = bins(drawn(3_000), by="mass")
    assert [each.count for each in made] == [200] * 15
    assert sum(each.count for each in bins(drawn(3_000))) == 3_000


@pytest.mark.parametrize(
    ("right", "wrong", "offset"), [(1.0, 1.0, 0.0), (0.5, 0.5, -0.7), (0.2, 0.9, 0.4)]
)
def test_calibration_finds_how_confidences_were_bent(
    right: float, wrong: float, offset: float
) -> None:
    found = drawn(100_000, right=right, wrong=wrong, offset=offset)
    fitted = fit_calibration(found)
    assert fitted.right == pytest.approx(right, abs=0.06)
    assert fitted.wrong == pytest.approx(wrong, abs=0.06)
    assert fitted.offset == pytest.approx(offset, abs=0.1)
    straight = np.array([calibrated(each, fitted) for each in found.confidence])
    assert calibration_error(Characters(straight, found.right)) < 0.01


def test_calibration_never_turns_the_order_around() -> None:
    found = drawn(5_000)
    fitted = fit_calibration(Characters(found.confidence, ~found.right))
    assert fitted.right == fitted.wrong == 0
    share = 1 - found.right.mean()
    assert (
        calibrated(0.3, fitted)
        == pytest.approx(calibrated(0.9, fitted))
        == pytest.approx(share, abs=0.01)
    )


def test_calibration_leaves_too_little_alone() -> None:
    for found in (drawn(50, right=3), Characters(np.full(500, 0.9), np.ones(500, bool))):
        fitted = fit_calibration(found)
        assert (fitted.right, fitted.wrong, fitted.offset) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_temperature_is_found(true: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (20_000, 6))
    chances = np.exp(logits / true)
    chances /= chances.sum(axis=1, keepdims=True)
    drawn_class = (rng.random((len(logits), 1)) > chances.cumsum(axis=1)).sum(axis=1)
    right = drawn_class == logits.argmax(axis=1)

    def characters(temperature: float) -> Characters:
        shares = np.exp(logits / temperature)
        return Characters(shares.max(axis=1) / shares.sum(axis=1), right)

    assert fit_temperature(characters) == pytest.approx(true, rel=0.1)


def test_risk_grows_from_the_surest_line_on() -> None:
    curve = RiskCoverage.of(
        [(0.9, "abcd", "abcd"), (0.5, "abcd", "abxx"), (0.7, "abcd", "abcx"), (0.5, "ab", "ab")]
    )
    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 1.0])  # equals come together
    np.testing.assert_allclose(curve.risk, [0, 1 / 8, 3 / 14])
    assert curve.to_check(0.01) == pytest.approx(0.75)
    assert curve.to_check(0.2) == pytest.approx(0.5)
    assert curve.to_check(0.5) == 0
    assert RiskCoverage.of([]).to_check() == 1
    assert RiskCoverage.of([(0.9, "a", "b")]).to_check() == 1


def test_diagrams_are_drawn(tmp_path: Path) -> None:
    plot_reliability(drawn(500), tmp_path / "new" / "reliability.png", title="$")
    plot_risk([("beam", RiskCoverage.of([(0.9, "a", "a")]))], tmp_path / "risk.png")
    for file in (tmp_path / "new" / "reliability.png", tmp_path / "risk.png"):
        assert file.read_bytes().startswith(b"\x89PNG")
