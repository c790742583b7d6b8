"""xlsx: the first sheet with text in it, row by row."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils import get_column_letter

from studio.datasets.delimited import check_header
from studio.datasets.records import Record, refuse
from studio.errors import BadInput

ERRORS = frozenset(("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!", "#CALC!"))
MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+[0-9]+:[A-Z]+[0-9]+)"')
# A spreadsheet is a zip: a small file may unpack to fill the memory.
LARGEST = 4 << 30


class Spreadsheet:
    """An Excel workbook (.xlsx): the first visible sheet that is not empty; its first filled row names the columns."""

    kind = "xlsx"
    unit = "row"

    def __init__(self, path: Path, encoding: str = "") -> None:
        self.path = path
        self.done = 0
        self.notes: list[str] = []
        _check_size(path)
        with _book(path) as book:
            self.sheet, others = self._choose(book)
        self.notes.append(f"read from the sheet “{self.sheet}”")
        if others:
            self.notes.append(f"other sheets were not read: {', '.join(others[:5])}")

    def _choose(self, book: Any) -> tuple[str, list[str]]:
        filled = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            if sheet.sheet_state == "visible" and any(map(_filled, sheet.iter_rows(values_only=True))):
                filled.append(sheet.title)
        if not filled:
            raise refuse(self.path, "None of its sheets has text in it.", "Choose a workbook with a header and rows.")
        return filled[0], filled[1:]

    def records(self) -> Iterator[Record]:
        """Raises BadInput for merged cells and for a header that can't be used."""
        with _book(self.path) as book:
            sheet = book[self.sheet]
            self._refuse_merged(book, sheet)
            size, total = self.path.stat().st_size, max(1, sheet.max_row or 1)
            sheet.reset_dimensions()
            header: list[str] = []
            for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
                if not _filled(cells):
                    continue
                if not header:
                    header = check_header(self.path, ["" if cell is None else str(cell) for cell in cells])
                    continue
                self.done = min(size, size * number // total)
                yield _record(number, header, cells)

    def _refuse_merged(self, book: Any, sheet: Any) -> None:
        with book._archive.open(sheet._worksheet_path) as xml:
            merged = _merged(xml)
        if merged:
            shown = ", ".join(merged[:5]) + (f" and {len(merged) - 5} more" if len(merged) > 5 else "")
            raise refuse(
                self.path,
                f"The sheet “{self.sheet}” has merged cells ({shown}): a spreadsheet keeps their text in the first "
                "cell only, so the other rows would be empty.",
                "Select them, choose “Unmerge Cells”, fill in the empty ones, and keep one row of column names on top.",
            )


def _filled(cells: tuple[Any, ...]) -> bool:
    return any(cell is not None and cell != "" for cell in cells)


def _record(number: int, header: list[str], cells: tuple[Any, ...]) -> Record:
    width = len(header)
    for place, cell in enumerate(cells):
        if place >= width and cell not in (None, ""):
            where = f"{get_column_letter(place + 1)}{number}"
            return Record(number, None, f"cell {where} stands in a column without a name in the header")
        if isinstance(cell, str) and cell in ERRORS:
            return Record(number, None, f"cell {get_column_letter(place + 1)}{number} holds the error {cell}")
    values = dict(zip(header, cells, strict=False))
    for name in header[len(cells) :]:
        values[name] = None
    return Record(number, values)


def _merged(xml: Any) -> list[str]:
    """The merged ranges of a sheet's XML, read in pieces."""
    found: list[str] = []
    rest = b""
    while block := xml.read(1 << 20):
        text = rest + block
        found += [match.group(1).decode() for match in MERGED.finditer(text)]
        cut = text.rfind(b">") + 1
        rest = text[cut:]
    return found


def _check_size(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise _damaged(path, error) from None
    if size > LARGEST:
        raise refuse(path, f"It unpacks to {size / 1e9:.0f} GB.", "Save the sheet as csv (UTF-8) and import that.")


@contextmanager
def _book(path: Path) -> Iterator[Any]:
    """The workbook opened for reading, formulas as the values last computed; damage told in words."""
    book = None
    try:
        with open(path, "rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            yield book
    except BadInput:
        raise
    except (GeneratorExit, OSError):
        raise
    except Exception as error:  # openpyxl raises whatever its parts raise on a damaged file
        raise _damaged(path, error) from None
    finally:
        if book is not None:
            book.close()


def _damaged(path: Path, error: Exception) -> BadInput:
    return refuse(
        path,
        f"It begins like a spreadsheet but is cut off or damaged ({type(error).__name__}: {str(error)[:120]}).",
        "Open it in a spreadsheet program, save it again as .xlsx or as csv (UTF-8), and import that.",
    )
