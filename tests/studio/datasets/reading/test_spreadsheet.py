"""Workbooks as people keep them."""

from __future__ import annotations

import datetime

import openpyxl
import pytest

from studio.datasets.reading.readers import open_reader
from studio.errors import BadInput


def save(tmp_path, rows, prepare=lambda book: None):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    prepare(book)
    path = tmp_path / "a.xlsx"
    book.save(path)
    return path


def test_row_numbers_are_those_of_the_sheet_and_empty_rows_are_passed_over(tmp_path):
    day = datetime.datetime(2026, 1, 2)
    path = save(tmp_path, [[], ["q", "a", None], ["x", 3], [None, None], ["y", day]])
    records = list(open_reader(path).records())
    assert [(record.line, record.values) for record in records] == [(3, {"q": "x", "a": 3}), (5, {"q": "y", "a": day})]


def test_merged_cells_are_explained(tmp_path):
    path = save(tmp_path, [["q", "a"], ["x", "y"], ["z", None]], lambda book: book.active.merge_cells("B2:B3"))
    with pytest.raises(BadInput) as caught:
        list(open_reader(path).records())
    assert "B2:B3" in caught.value.why
    assert "Unmerge" in caught.value.next


def test_errors_and_cells_without_a_column_are_bad_rows(tmp_path):
    path = save(tmp_path, [["q", "a"], ["x", "#REF!"], ["y", "z", "stray"], ["good", "#1 answer"]])
    records = list(open_reader(path).records())
    assert records[0].problem == "cell B2 holds the error #REF!"
    assert records[1].problem == "cell C3 stands in a column without a name in the header"
    assert records[2].values == {"q": "good", "a": "#1 answer"}


def test_the_first_visible_sheet_with_text_is_read_and_the_others_named(tmp_path):
    def prepare(book):
        book.active.sheet_state = "hidden"
        book.create_sheet("Empty")
        for name in ("Tickets", "Archive"):
            book.create_sheet(name).append(["q", "a"])
            book[name].append([name, "y"])

    reader = open_reader(save(tmp_path, [["no", "no"], ["x", "y"]], prepare))
    assert [record.values for record in reader.records()] == [{"q": "Tickets", "a": "y"}]
    assert any("Tickets" in note for note in reader.notes)
    assert any("Archive" in note for note in reader.notes)


def test_a_workbook_without_text_is_refused(tmp_path):
    with pytest.raises(BadInput, match="None of its sheets"):
        open_reader(save(tmp_path, []))
