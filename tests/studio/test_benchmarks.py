"""The table of a benchmark is made from its JSON, and what is kept for the README has that shape."""

from __future__ import annotations

from typing import Any

import pytest

from studio import benchmarks
from studio.benchmarks import BENCHMARKS, Bar, Result

FIELDS = {"name", "date", "machine", "versions", "settings", "sides", "bars", "facts"}


def result(**given: Any) -> dict[str, Any]:
    about = {"name": "trl", "date": "2026-11-22", "machine": "a machine", "versions": {"Python": "3.11", "TRL": "1.16"}}
    settings = {"data": "rows.json", "model": "starter", "rows": 8, "rounds": 3}
    return {**about, "settings": settings, **Result(**given).as_dict()}


def test_where_and_with_what_stands_above_the_figures() -> None:
    shown = benchmarks.markdown(result())
    assert (
        shown == "**trl**: 2026-11-22; a machine; Python 3.11, TRL 1.16; model starter, 8 rows of rows.json, rounds: 3."
    )


def test_sides_bars_and_facts_are_tables_of_markdown() -> None:
    sides = [
        {"side": "fast", "tokens_per_second": 1234.5, "memory_gb": 2.6641},
        {"side": "lean", "loss_apart": 1.2e-6, "memory_gb": 2},
    ]
    bars = [Bar("times the memory", 0.6535, 1.5, at_most=True), Bar("times as fast", 2.4, 2.5)]
    shown = benchmarks.markdown(result(sides=sides, bars=bars, facts={"tokens": 13967}))
    assert shown.split("\n\n")[1:] == [
        "| Side | Tokens per second | Memory GB | Loss apart |\n"
        "| --- | --- | --- | --- |\n"
        "| fast | 1,234 | 2.664 |  |\n"
        "| lean |  | 2 | 1.2e-06 |",
        "| Measured | Wanted | Reached | What |\n"
        "| --- | --- | --- | --- |\n"
        "| 0.6535 | at most 1.5 | yes | times the memory |\n"
        "| 2.4 | at least 2.5 | no | times as fast |",
        "Tokens: 13,967",
    ]


def test_many_figures_are_a_line_each() -> None:
    figures = {f"figure_{number}": number for number in range(benchmarks.WIDEST)}
    shown = benchmarks.markdown(result(sides=[{"side": "10 rows"} | figures, {"side": "20 rows", "figure_2": 0.5}]))
    lines = shown.split("\n\n")[1].splitlines()
    assert lines[:2] == ["| Side | 10 rows | 20 rows |", "| --- | --- | --- |"]
    assert len(lines) == 2 + len(figures) and lines[4] == "| Figure 2 | 2 | 0.5 |" and lines[5] == "| Figure 3 | 3 |  |"


def test_no_model_rows_or_rounds_are_named_where_there_are_none() -> None:
    shown = benchmarks.markdown(result() | {"name": "import"})
    assert shown.endswith("TRL 1.16; rows of its own.")


KEPT = benchmarks.kept()


@pytest.mark.parametrize("kept", KEPT, ids=[kept["name"] for kept in KEPT])
def test_what_is_kept_has_the_one_shape(kept: dict[str, Any]) -> None:
    assert set(kept) - {"id"} == FIELDS and kept["name"] in BENCHMARKS
    assert kept["sides"] and all(next(iter(side)) == "side" for side in kept["sides"])
    assert all(set(bar) == {"what", "value", "wanted", "at_most", "reached"} for bar in kept["bars"])
    assert "/" not in kept["settings"]["data"] and kept["versions"]["Python"]


def test_some_results_are_kept() -> None:
    assert {"llama-factory", "trl"} <= {kept["name"] for kept in KEPT}
