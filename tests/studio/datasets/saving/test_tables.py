from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.datasets.saving.tables import CELL_CHARACTERS, Notes, write_csv, write_jsonl, write_xlsx

NASTY = [
    "=1+1",
    "+49 30 1234",
    "-5",
    "-5.5e3",
    "@home",
    "\tx",
    "a\nb",
    "a\rb",
    'say "hi", you',
    "Größe 你好 🙂",
    " ",
    "#N/A",
]


def table(values: list[Any]) -> tuple[list[str], list[dict[str, Any]]]:
    return ["n", "value"], [{"n": n, "value": value} for n, value in enumerate(values)]


def read_csv(path: Path) -> list[str]:
    with open(path, encoding="utf-8", newline="") as file:
        return [row["value"] for row in csv.DictReader(file)]


def read_xlsx(path: Path) -> list[Any]:
    rows = openpyxl.load_workbook(path).active.iter_rows(min_row=2)
    return [(row[1].value, row[1].data_type) for row in rows]


def test_jsonl_keeps_types(tmp_path: Path) -> None:
    values = [1, 2.5, None, True, "=1", ["a"], {"b": 1}, float("nan")]
    write_jsonl(tmp_path / "t.jsonl", table(values), False, Notes())
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["value"] for line in lines] == [*values[:-1], None]


def test_csv_holds_text_as_it_is(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", table(NASTY), False, Notes())
    assert read_csv(tmp_path / "t.csv") == NASTY
    write_csv(tmp_path / "v.csv", table([1, 2.5, None, True, ["a"], date(2026, 1, 2)]), False, Notes())
    assert read_csv(tmp_path / "v.csv") == ["1", "2.5", "", "true", '["a"]', "2026-01-02"]


def test_csv_formulas_are_escaped_when_asked_and_counted(tmp_path: Path) -> None:
    notes = Notes()
    write_csv(tmp_path / "t.csv", table(NASTY), True, notes)
    changed = {"=1+1", "+49 30 1234", "@home", "\tx"}
    assert read_csv(tmp_path / "t.csv") == [f"'{text}" if text in changed else text for text in NASTY]
    assert notes.texts() == ["4 cells that could be taken for a formula got an apostrophe in front."]


def test_xlsx_text_is_never_a_formula(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "t.xlsx", table(NASTY), False, Notes())
    # A lone carriage return may become a line feed: not every writer of XML keeps it.
    found = [value.replace("\r", "\n") for value, _ in read_xlsx(tmp_path / "t.xlsx")]
    assert found == [text.replace("\r", "\n") for text in NASTY]
    assert {kind for _, kind in read_xlsx(tmp_path / "t.xlsx")} == {"s"}


def test_xlsx_keeps_numbers_and_tells_what_it_could_not_hold(tmp_path: Path) -> None:
    notes = Notes()
    write_xlsx(tmp_path / "t.xlsx", table([1, 2.5, True, None, "x" * 40_000, "a\x00b"]), False, notes)
    values = [value for value, _ in read_xlsx(tmp_path / "t.xlsx")]
    assert values[:4] == [1, 2.5, True, None]
    assert len(values[4]) == CELL_CHARACTERS
    assert values[5] == "a\ufffdb"
    assert (notes.shortened, notes.stripped) == (1, 1)
    assert any("32,767" in text for text in notes.texts())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5))
def test_csv_reads_back_what_was_written(tmp_path: Path, values: list[str]) -> None:
    write_csv(tmp_path / "t.csv", table(values), False, Notes())
    assert read_csv(tmp_path / "t.csv") == values


def test_a_sheet_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.errors import BadInput

    monkeypatch.setattr("studio.datasets.saving.tables.SHEET_ROWS", 3)
    with pytest.raises(BadInput, match="don't fit an xlsx"):
        write_xlsx(tmp_path / "t.xlsx", table(["a", "b", "c"]), False, Notes())
