"""The ladder: what each rung changes, saves and costs, and which one is offered."""

from __future__ import annotations

from typing import Any

import pytest

from studio.estimate import estimate
from studio.ladder import Case, Rung, changed, flags_of, in_words, ladder
from studio.settings.train import TrainSettings
from studio.shape import Shape

SHAPE = Shape(
    parameters=500_000_000, layers=24, hidden=1024, intermediate=4096, vocabulary=50_000, heads=16,
    key_value_heads=16, head_size=64, tied=True,
)  # fmt: skip
SMALL = Shape(
    parameters=100_000_000, layers=12, hidden=512, intermediate=2048, vocabulary=50_000, heads=8,
    key_value_heads=8, head_size=64, tied=True,
)  # fmt: skip
SET = {"dataset": "d", "cutoff": 1024, "batch_size": 8, "tokens_per_pass": 8192, "threads": 2, "learning_rate": 1e-3}


def parts(settings: TrainSettings, shape: Shape) -> dict[str, float]:
    return estimate(settings, shape, 300, 0.3, 100, "cpu").parts


def cost(settings: TrainSettings, shape: Shape) -> float:
    return sum(parts(settings, shape).values())


def rungs(free: float = 8.0, needed: float | None = None, **given: Any) -> dict[str, Rung]:
    settings = TrainSettings.model_validate(SET | given)
    case = Case(
        settings=settings,
        shape=SHAPE,
        parts=parts,
        on_cpu=True,
        longest=900,
        needed=cost(settings, SHAPE) if needed is None else needed,
        free=free,
        cut=lambda cutoff: 100 / cutoff,
        models=[("tiny", SMALL)],
    )
    return {rung.name: rung for rung in ladder(case)}


def test_the_gentlest_come_first_and_all_save_what_the_formulas_say() -> None:
    found = rungs()
    assert list(found) == ["passes", "recompute", "eight-bit", "four-bit", "cutoff", "model"]
    settings = TrainSettings.model_validate(SET)
    for rung in found.values():
        shape = SMALL if rung.name == "model" else SHAPE
        saved = cost(settings, SHAPE) - cost(changed(settings, rung.changes), shape)
        assert rung.saves_gb == pytest.approx(saved, abs=0.01) and rung.saves_gb > 0
        assert rung.memory_gb == pytest.approx(cost(settings, SHAPE) - saved, abs=0.02)
        assert rung.fits is (rung.memory_gb <= 8.0) and rung.words


def test_only_what_learns_the_same_lets_a_run_go_on() -> None:
    assert {rung.name for rung in rungs().values() if rung.same} == {"passes", "recompute"}


def test_passes_are_halved_until_they_fit_and_never_split_a_row() -> None:
    assert rungs(free=25)["passes"].changes == {"tokens_per_pass": 3600}  # 8 rows of 900 are 7,200 at most
    assert rungs(free=1)["passes"].changes == {"tokens_per_pass": 900}
    assert "passes" not in rungs(tokens_per_pass=900)


def test_what_was_measured_counts_more_than_the_formula() -> None:
    by_formula, measured = rungs()["recompute"], rungs(needed=50.0)["recompute"]
    assert measured.saves_gb == by_formula.saves_gb
    assert measured.memory_gb == pytest.approx(50 - measured.saves_gb, abs=0.01)


def test_full_training_is_offered_its_own_rungs() -> None:
    found = rungs(method={"name": "full"})
    assert {"optimizer", "adapter"} <= set(found) and not {"four-bit", "eight-bit"} & set(found)
    assert found["adapter"].changes == {"method": {"name": "lora"}, "learning_rate": None}
    assert (
        changed(TrainSettings.model_validate(SET | {"method": {"name": "full"}}), found["adapter"].changes).method.name
        == "lora"
    )


def test_what_is_taken_is_not_offered_again() -> None:
    assert "recompute" not in rungs(recompute=True)
    assert "eight-bit" not in rungs(method={"name": "qlora", "bits": "8"})
    assert not {"eight-bit", "four-bit"} & set(rungs(method={"name": "qlora"}))


def test_a_rung_keeps_the_rest_of_the_method() -> None:
    settings = TrainSettings.model_validate(SET | {"method": {"name": "lora", "rank": 32}})
    assert changed(settings, {"method": {"name": "qlora", "bits": "8"}}).method.rank == 32


def test_flags_say_what_is_so_by_default_too() -> None:
    assert flags_of({"recompute": True}) == "--recompute"
    assert flags_of({"method": {"name": "qlora", "bits": "4"}}) == "--method qlora --bits 4"
    assert flags_of({"method": {"name": "lora"}, "learning_rate": None}) == "--method lora"
    assert flags_of({"cutoff": 64, "tokens_per_pass": 64}) == "--cutoff 64 --tokens-per-pass 64"


def test_in_a_terminal_each_rung_has_its_flags_and_whether_it_is_enough() -> None:
    lines = in_words([rung.as_dict() for rung in rungs(free=1).values()])
    assert len(lines) == 6 and "(--recompute)" in lines[1] and "not enough alone" in lines[1]
