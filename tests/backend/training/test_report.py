"""Row losses survive a kill and have each update once; the figures of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.training import report
from backend.training.report import Figures, RowLosses

NAMES = ["a", "b", "c", "d"]


def names(numbers: np.ndarray) -> pa.Array:
    return pa.array([NAMES[number] for number in numbers])


def add(losses: RowLosses, step: int, value: float) -> None:
    """One pass of two rows, of which the second has two learned tokens."""
    owners = np.array([0, 1, 1])
    losses.add(step, step / 10, [step % 4, (step + 1) % 4], owners, np.array([value, 1, 2], np.float32))


def steps(folder: Path) -> list[tuple[int, float]]:
    table = pq.read_table(folder / "rows.parquet").to_pylist()
    return [(line["step"], line["loss"]) for line in table[::2]]


def test_a_row_loss_is_the_mean_over_its_learned_tokens(tmp_path: Path) -> None:
    losses = RowLosses(tmp_path, names, 0)
    add(losses, 1, 7.0)
    losses.save(1)
    report.merge_rows(tmp_path)
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.schema.equals(report.SCHEMA)
    assert table.to_pylist() == [
        {"step": 1, "epoch": pytest.approx(0.1), "row_id": "b", "loss": 7.0, "tokens": 1},
        {"step": 1, "epoch": pytest.approx(0.1), "row_id": "c", "loss": 1.5, "tokens": 2},
    ]


@given(lives=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5)), min_size=1, max_size=5))
def test_whatever_was_killed_when_every_update_is_there_once(
    lives: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each life saves now and then, is killed some updates later, and the next one goes on from the last save."""
    folder = tmp_path_factory.mktemp("rows")
    saved = 0
    for number, (kept, lost) in enumerate(lives):
        losses = RowLosses(folder, names, saved)
        for step in range(saved + 1, saved + kept + 1):
            add(losses, step, float(number))
        losses.save(saved + kept)
        saved += kept
        for step in range(saved + 1, saved + lost + 1):  # a part without a resume point, or nothing
            add(losses, step, -1.0)
        if lost % 2:
            losses.save(saved + lost)
    RowLosses(folder, names, saved)
    report.merge_rows(folder)
    assert [step for step, _ in steps(folder)] == list(range(1, saved + 1))
    assert all(loss >= 0 for _, loss in steps(folder))


def test_parts_that_somebody_else_drops_meanwhile_are_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [tmp_path / "rows" / "000001-000009.parquet"]  # gone between the listing and the deletion
    monkeypatch.setattr(Path, "glob", lambda *_: iter(listed))
    report.forget_after(tmp_path, 1)


def test_parts_go_when_the_run_is_finished(tmp_path: Path) -> None:
    losses = RowLosses(tmp_path, names, 0)
    add(losses, 1, 1.0)
    losses.save(1)
    report.merge_rows(tmp_path)
    report.drop_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]
    report.merge_rows(tmp_path)  # a life after that has nothing to add
    assert steps(tmp_path) == [(1, 1.0)]


def test_the_best_check_is_never_the_one_before_the_first_update() -> None:
    figures = Figures(checks=[(0, 1.0), (5, 3.0), (10, 2.0), (15, 2.5)])
    assert figures.best == (10, 2.0)
    assert figures.start == 1.0
    assert figures.checks_since_best() == 3


def test_figures_come_back_exactly() -> None:
    figures = Figures(3, 1.1, 5, 4, 0.1 + 0.2, 7, [(0, 1 / 3), (3, 2 / 3)])
    assert Figures.of(figures.as_dict()) == figures


def test_the_finished_event_tells_of_the_weights_that_were_kept() -> None:
    figures = Figures(4, 2.0, 100, 50, 6.0, 2_000_000_000, [(0, 3.0), (2, 1.0), (4, 2.0)])
    assert figures.result(2) == {
        "steps": 4,
        "train_seconds": 2.0,
        "tokens_per_second": 50.0,
        "peak_memory_gb": 2.0,
        "train_loss": 1.5,
        "best_step": 2,
        "validation_loss": 1.0,
    }
