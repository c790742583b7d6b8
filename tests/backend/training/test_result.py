"""What is said against a result."""

from __future__ import annotations

import numpy as np
import pytest

from backend.training.result import rise

# Losses of the starter at thirty times its learning rate, with a warm-up and without, and at the usual one.
TOO_HIGH = (
    "4.37 3.56 4.22 6.4 15.2 11.6 13.7 14 20.7 19.3 17.3 38 10.9 20.7 12.7 13.2 15.4 11.9 9.28 11.8 10.1 9.05 9.17 "
    "9.79 8.79 7.61 8.34 8.72 8.37 8.42",
    "4.37 4.13 6.84 10.1 14.9 17.8 36.7 30.9 34.5 20.6 20.3 15.4 13.8 14.3 12.3 12 12 11.1 10.4 9.91 9.61 9.41 8.9 "
    "9.27 8.68 8.26 9.13 9.49 9.12 9.17",
)
USUAL = [4.37, 4.08, 4.4, 3.98, 3.91, 3.4, 3.76, 3.21, 3.37, 3.16, 3.83, 3.13, 3.23, 3.18, 3.6]


@pytest.mark.parametrize("losses", TOO_HIGH)
def test_a_loss_that_ends_clearly_higher_is_told_with_both_figures(losses: str) -> None:
    began, ended = rise([float(loss) for loss in losses.split()]) or (0.0, 0.0)
    assert began == pytest.approx(4.3, abs=0.1) and 8 < ended < 9.5


@pytest.mark.parametrize("losses", [USUAL, USUAL[:9], [1.0, 9.0, 9.0], [2.0] * 40, [], [3.0, 3.1, 2.9] + [3.3] * 20])
def test_a_loss_that_falls_or_stays_is_not(losses: list[float]) -> None:
    assert rise(losses) is None


def test_rows_that_are_hard_by_chance_are_not_taken_for_it() -> None:
    """Runs that learn nothing, a row at a time, of rows whose losses are as far apart as they get."""
    draw = np.random.default_rng(0)
    told = sum(rise(draw.lognormal(0.5, 0.6, 60).tolist()) is not None for _ in range(1000))
    assert told < 40
