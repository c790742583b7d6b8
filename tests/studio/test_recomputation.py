"""Whether parts are computed twice: as the estimate has it, or a measurement of both ways."""

from __future__ import annotations

import pytest

from studio.measurement import Measured
from studio.recomputation import Choice, choose
from studio.settings.train import Fsdp, TrainSettings

RUN = TrainSettings(dataset="d", cutoff=64, batch_size=4)


def chosen(
    needs: float = 10.0,
    plain: tuple[bool, float, float | None] | None = None,
    twice: tuple[bool, float, float | None] | None = None,
    settings: TrainSettings = RUN,
) -> Choice:
    """With 10 GB free, what the run needs without, and what was measured without and with: fits, GB, seconds."""

    def measured(run: TrainSettings) -> Measured | None:
        found = twice if run.recompute else plain
        return Measured(found[0], found[1], 10.0, found[2]) if found else None

    def needs_gb(run: TrainSettings) -> float:
        return needs / 2 if run.recompute else needs

    return choose(settings, 10.0, needs_gb, measured)


@pytest.mark.parametrize(
    ("needs", "on", "doubtful"),
    [(6.9, False, False), (7.1, True, True), (12.9, True, True), (13.1, True, False)],
)
def test_the_estimate_tells_where_it_is_clear(needs: float, on: bool, doubtful: bool) -> None:
    found = chosen(needs)
    assert (found.on, found.doubtful) == (on, doubtful)
    assert f"{needs:.1f} GB, and 10.0 are free" in found.why and ("measured" in found.why) == doubtful


def test_fast_never_computes_twice() -> None:
    assert not chosen(99.0, settings=RUN.model_copy(update={"memory": "fast"})).on


def test_what_one_process_can_not_measure_is_told_by_the_estimate_alone() -> None:
    divided = RUN.model_copy(update={"spread": Fsdp(processes=2)})
    assert chosen(8.0, settings=divided) == Choice(True, "Without it the run takes about 8.0 GB, and 10.0 are free.")
    assert not chosen(6.0, settings=divided).on


def test_a_measurement_wins_over_the_estimate() -> None:
    fits = chosen(99.0, plain=(True, 3.0, 1.0))
    assert (fits.on, fits.doubtful) == (False, False) and fits.why.startswith("Measured") and "3.0 GB" in fits.why
    big = chosen(1.0, plain=(False, 9.7, None), twice=(True, 6.0, 1.4))
    assert (big.on, big.doubtful) == (True, False) and "more than 9.7 GB" in big.why


def test_one_that_fitted_when_more_was_free_does_not_fit_now() -> None:
    assert chosen(plain=(True, 10.5, 1.0)).on


def test_of_two_that_fit_the_quicker_is_taken() -> None:
    usual = chosen(plain=(True, 8.0, 1.0), twice=(True, 6.0, 1.4))
    assert not usual.on and "1.0 s a step" in usual.why and "1.4 s" in usual.why
    assert chosen(plain=(True, 8.0, 2.0), twice=(True, 6.0, 1.4)).on
