"""What the promotion gate lets pass."""

from pathlib import Path

import pytest

from line_sets import lines
from trainer.datasets.synthetic import SyntheticDataset
from trainer.gate import LARGEST_SET, decide, frozen_sets


def test_the_first_version_passes_without_a_comparison() -> None:
    decision = decide({"synthetic": 0.9}, None, incumbent=None)
    assert decision.decision == "first"
    assert decision.promotes


def test_a_version_that_reads_no_worse_is_promoted() -> None:
    decision = decide({"synthetic": 0.2}, {"synthetic": 0.2}, incumbent="1")
    assert decision.decision == "promoted"
    assert (decision.cer, decision.incumbent, decision.incumbent_cer) == (0.2, "1", 0.2)


def test_a_version_that_reads_worse_is_rejected_and_the_reason_has_both_figures() -> None:
    decision = decide({"synthetic": 0.3}, {"synthetic": 0.2}, incumbent="4")
    assert not decision.promotes
    assert "30.00% against 20.00% of version 4" in decision.reason


def test_winning_on_synthetic_lines_does_not_make_up_for_losing_on_real_ones() -> None:
    decision = decide(
        {"synthetic": 0.01, "letters": 0.21},
        {"synthetic": 0.30, "letters": 0.20},
        incumbent="1",
    )
    assert decision.decision == "rejected"
    assert decision.reason.startswith("It reads real handwriting worse")


def test_winning_on_real_lines_does_not_excuse_forgetting_the_rest() -> None:
    decision = decide(
        {"synthetic": 0.90, "letters": 0.19},
        {"synthetic": 0.30, "letters": 0.20},
        incumbent="1",
    )
    assert decision.decision == "rejected"


def test_synthetic_training_cannot_replace_a_reader_of_handwriting_unseen() -> None:
    decision = decide(
        {"synthetic": 0.1},
        {"synthetic": 0.3},
        incumbent="1",
        new_is_real=False,
        incumbent_is_real=True,
    )
    assert decision.decision == "rejected"
    assert "no real set is at hand" in decision.reason


def test_with_real_lines_at_hand_a_synthetic_training_may_win() -> None:
    decision = decide(
        {"synthetic": 0.1, "letters": 0.1},
        {"synthetic": 0.3, "letters": 0.2},
        incumbent="1",
        new_is_real=False,
        incumbent_is_real=True,
    )
    assert decision.decision == "promoted"


def test_force_promotes_and_says_what_was_wrong() -> None:
    decision = decide({"synthetic": 0.3}, {"synthetic": 0.2}, incumbent="4", force=True)
    assert decision.decision == "forced"
    assert decision.promotes
    assert "worse" in decision.reason


def test_the_frozen_set_is_the_same_every_time_and_of_fonts_never_trained_on() -> None:
    first, second = frozen_sets([]), frozen_sets([])
    assert [s.id for s in first["synthetic"]] == [s.id for s in second["synthetic"]]
    trained = {s.document for s in SyntheticDataset(train=500, val=0, test=0).samples("train")}
    assert not trained & {sample.document for sample in first["synthetic"]}


@pytest.mark.parametrize("size", [7, LARGEST_SET, LARGEST_SET + 150, 5 * LARGEST_SET])
def test_a_real_set_joins_the_frozen_set_with_samples_from_all_over_it(
    size: int, tmp_path: Path
) -> None:
    dataset = lines(tmp_path / "letters", *(f"a.png\tval\t{number}" for number in range(size)))
    chosen = frozen_sets([dataset])["lines/letters"]
    assert len(chosen) == min(size, LARGEST_SET)
    samples = dataset.samples("val")
    assert samples.index(chosen[-1]) >= size * 0.9 - 1
    assert len({sample.text for sample in chosen}) == len(chosen)


def test_a_version_of_a_fold_in_production_makes_no_fair_comparison() -> None:
    cers = {"synthetic": 0.1, "lines/mine": 0.2}
    decision = decide(cers, cers, incumbent="3", incumbent_divided=["lines/mine"])
    assert decision.decision == "rejected"
    assert "Version 3 learnt from lines/mine in splits of its own" in decision.reason
    forced = decide(cers, cers, incumbent="3", incumbent_divided=["lines/mine"], force=True)
    assert forced.decision == "forced"
