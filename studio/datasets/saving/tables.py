"""Rows written as a table for people and programs: .jsonl, .csv, .xlsx. Text stays text, whatever it looks like."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from studio.datasets.rows import compact
from studio.errors import BadInput
from studio.wording import count

Table = tuple[list[str], Iterable[dict[str, Any]]]  # columns, rows

# What a spreadsheet program takes for the start of a formula when it opens a csv file.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
# Limits of the xlsx format.
CELL_CHARACTERS = 32_767
SHEET_ROWS = 1_048_576
NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass
class Notes:
    """What writing had to change."""

    escaped: int = 0
    shortened: int = 0
    stripped: int = 0

    def texts(self) -> list[str]:
        """The changes in plain words."""
        said = (
            (self.escaped, "that could be taken for a formula got an apostrophe in front"),
            (self.shortened, f"longer than the {CELL_CHARACTERS:,} characters an xlsx cell holds: cut off there"),
            (self.stripped, "with control characters that xlsx can't hold: each replaced by �"),
        )
        return [f"{count(number, 'cell')} {text}." for number, text in said if number]


def write_jsonl(path: Path, table: Table, escape: bool, notes: Notes) -> None:
    """One JSON object a line; values keep their types."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for row in table[1]:
            file.write(compact(row) + "\n")


def write_csv(path: Path, table: Table, escape: bool, notes: Notes) -> None:
    """UTF-8, comma-separated, lines ended as RFC 4180 has it. Lists and objects are written as JSON.

    Args:
        escape: put an apostrophe before cells that a spreadsheet program would run as a formula (numbers are left).
    """
    columns, rows = table
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in rows:
            cells = [as_text(row.get(name)) for name in columns]
            writer.writerow([_harmless(cell, notes) for cell in cells] if escape else cells)


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet program would take the text of a csv cell for a formula."""
    return cell.startswith(FORMULA) and not NUMBER.fullmatch(cell)


def _harmless(cell: str, notes: Notes) -> str:
    if not is_formula(cell):
        return cell
    notes.escaped += 1
    return f"'{cell}"


def write_xlsx(path: Path, table: Table, escape: bool, notes: Notes) -> None:
    """One sheet; text cells are typed as text, so nothing in them is ever taken for a formula.

    Raises:
        BadInput: more rows than a sheet holds.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    columns, rows = table
    book = Workbook(write_only=True)
    sheet = book.create_sheet("answers")

    def cell(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            value = None
        if value is None or isinstance(value, (bool, int, float, datetime, date, time, timedelta)):
            return value
        made = WriteOnlyCell(sheet, _fitting(as_text(value), notes))
        made.data_type = "s"  # openpyxl takes “=…” for a formula otherwise
        return made

    sheet.append([cell(name) for name in columns])
    for number, row in enumerate(rows, 2):
        if number > SHEET_ROWS:
            sheet.close()
            raise BadInput(
                "The answers don't fit an xlsx file.",
                f"A sheet holds {SHEET_ROWS:,} rows.",
                "Choose --output with .csv or .jsonl; the answers so far are kept.",
                field="output",
            )
        sheet.append([cell(row.get(name)) for name in columns])
    book.save(path)


def _fitting(text: str, notes: Notes) -> str:
    cleaned = NOT_IN_XML.sub("\ufffd", text)
    notes.stripped += cleaned != text
    notes.shortened += len(cleaned) > CELL_CHARACTERS
    return cleaned[:CELL_CHARACTERS]


def as_text(value: Any) -> str:
    """A value as the text of a cell: text as it is, nothing as "", lists and objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict, tuple)):
        return compact(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


WRITERS: dict[str, Callable[[Path, Table, bool, Notes], None]] = {
    ".jsonl": write_jsonl,
    ".csv": write_csv,
    ".xlsx": write_xlsx,
}
