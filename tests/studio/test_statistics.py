from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.statistics import compare, interval


def pairs(better: int, worse: int, same: int) -> tuple[list[float], list[float]]:
    return [0.0] * better + [1.0] * worse + [0.0] * same, [1.0] * better + [0.0] * worse + [0.0] * same


def test_a_plain_gain_is_better_and_says_so() -> None:
    result = compare(*pairs(61, 9, 10))
    assert result.verdict == "better"
    assert result.sentence == "Better on 61 of 80 rows, worse on 9; unlikely to be chance."
    assert result.base == pytest.approx(9 / 80)
    assert result.tuned == pytest.approx(61 / 80)
    assert result.difference == pytest.approx(52 / 80)
    assert 0 < result.low < result.difference < result.high < 1


def test_the_other_way_round_is_worse() -> None:
    result = compare(*reversed(pairs(61, 9, 10)))
    assert result.verdict == "worse"
    assert result.sentence == "Worse on 61 of 80 rows, better on 9; unlikely to be chance."


@pytest.mark.parametrize(
    ("better", "worse", "same", "words"),
    [
        (9, 0, 0, "too few to tell"),
        (12, 10, 20, "may well be chance"),
        (0, 0, 40, "scored the same on each of 40 rows"),
        (2, 0, 98, "may well be chance"),
    ],
)
def test_what_can_not_be_told_says_why(better: int, worse: int, same: int, words: str) -> None:
    result = compare(*pairs(better, worse, same))
    assert result.verdict == "can't tell"
    assert words in result.sentence


def test_equal_differences_have_an_interval_of_no_width() -> None:
    result = compare([0.0] * 20, [1.0] * 20)
    assert (result.low, result.high, result.verdict) == (1.0, 1.0, "better")
    assert compare([0.5] * 20, [0.5] * 20).verdict == "can't tell"


def test_fewer_rows_by_more_is_said() -> None:
    result = compare([0.0] * 15 + [0.05] * 20, [1.0] * 15 + [0.0] * 20)
    assert result.verdict == "better"
    assert result.sentence == "Better on 15 of 35 rows, worse on 20, though by less each; unlikely to be chance."


def test_the_same_rows_and_seed_give_the_same_interval() -> None:
    differences = np.random.default_rng(3).normal(size=300)
    assert interval(differences, 5) == interval(differences, 5) != interval(differences, 6)


def test_scores_must_be_paired() -> None:
    with pytest.raises(ValueError, match="one score for each row"):
        compare([1.0, 0.0], [1.0])
    with pytest.raises(ValueError, match="at least one row"):
        compare([], [])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60))
def test_swapping_base_and_tuned_swaps_the_verdict(scores: list[tuple[float, float]]) -> None:
    base, tuned = [pair[0] for pair in scores], [pair[1] for pair in scores]
    there, back = compare(base, tuned), compare(tuned, base)
    assert there.low <= there.difference + 1e-9 and there.difference - 1e-9 <= there.high
    assert there.difference == pytest.approx(-back.difference)
    # With few rows the resampled means lie on a coarse grid, whose two ends are counted from different sides.
    assert there.low == pytest.approx(-back.high, abs=0.05 + 1 / len(scores))
    assert {there.verdict, back.verdict} in ({"better", "worse"}, {"can't tell"}) or there.low * there.high < 1e-3


def coverage(rows: int, chances: list[float], worlds: int) -> tuple[float, float]:
    """The share of simulated test sets whose interval holds the true mean, and whose verdict is not “can't tell”."""
    draw = np.random.default_rng(20261122)
    truth = chances[2] - chances[0]
    held = told = 0
    for world in range(worlds):
        differences = draw.choice([-1.0, 0.0, 1.0], size=rows, p=chances)
        result = compare(np.zeros(rows).tolist(), differences.tolist(), seed=world)
        held += result.low - 1e-12 <= truth <= result.high + 1e-12
        told += result.verdict != "can't tell"
    return held / worlds, told / worlds


@pytest.mark.parametrize("chances", [[0.1, 0.5, 0.4], [0.3, 0.4, 0.3], [0.05, 0.8, 0.15]])
def test_the_interval_holds_the_truth_about_19_times_in_20(chances: list[float]) -> None:
    held, _ = coverage(120, chances, worlds=400)
    assert 0.92 <= held <= 0.98


@pytest.mark.parametrize(("rows", "moving"), [(120, 0.6), (120, 0.04), (40, 0.1), (12, 0.3)])
def test_models_that_are_equally_good_are_seldom_told_apart(rows: int, moving: float) -> None:
    _, told = coverage(rows, [moving / 2, 1 - moving, moving / 2], worlds=400)
    assert told <= 0.07
