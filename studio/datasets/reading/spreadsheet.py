"""xlsx: the first sheet with text in it, row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils import get_column_letter

from studio.datasets.reading import archives
from studio.datasets.reading.delimited import check_header
from studio.datasets.reading.records import FileReader, Record, from_disk, refuse
from studio.errors import BadInput

ERRORS = frozenset(("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!", "#CALC!"))
CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]+)([0-9]+)"[^>/]*>(.*?)</(?:\w+:)?c>', re.DOTALL)
FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")
VALUE = re.compile(rb"<(?:\w+:)?(?:v|t)(?:\s[^>]*)?>[^<]")
MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+[0-9]+:[A-Z]+[0-9]+)"')


class Spreadsheet(FileReader):
    """An Excel workbook (.xlsx): the first visible sheet that is not empty; its first filled row names the columns."""

    kind = "xlsx"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        _check(path)
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
            uncomputed = self._look(book, sheet)
            total = max(1, sheet.max_row or 1)
            sheet.reset_dimensions()
            header: list[str] = []
            for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
                if not _filled(cells):
                    continue
                if not header:
                    header = check_header(self.path, ["" if cell is None else str(cell) for cell in cells])
                    continue
                self.done = min(self.size, self.size * number // total)
                if number in uncomputed:
                    where = f"{uncomputed[number]}{number}"
                    yield Record(number, None, f"cell {where} holds a formula whose result was never saved")
                    continue
                yield _record(number, header, cells)

    def _look(self, book: Any, sheet: Any) -> dict[int, str]:
        """The rows with a formula that was never computed; BadInput for merged cells."""
        with book._archive.open(sheet._worksheet_path) as xml:
            odd = _oddities(xml)
        merged = odd.merged
        if merged:
            shown = ", ".join(merged[:5]) + (f" and {len(merged) - 5} more" if len(merged) > 5 else "")
            raise refuse(
                self.path,
                f"The sheet “{self.sheet}” has merged cells ({shown}): a spreadsheet keeps their text in the first "
                "cell only, so the other rows would be empty.",
                "Select them, choose “Unmerge Cells”, fill in the empty ones, and keep one row of column names on top.",
            )
        return odd.uncomputed


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


@dataclass
class Oddities:
    """What the XML of a sheet says and its cells don't."""

    merged: list[str] = field(default_factory=list)
    uncomputed: dict[int, str] = field(default_factory=dict)  # row -> column of a formula without a result

    def look(self, text: bytes) -> None:
        if b"mergeCell" in text:
            self.merged += [match[1].decode() for match in MERGED.finditer(text)]
        if FORMULA.search(text):
            for match in CELL.finditer(text):
                if FORMULA.search(match[3]) and not VALUE.search(match[3]) and b't="str"' not in match[0][:200]:
                    self.uncomputed.setdefault(int(match[2]), match[1].decode())


def _oddities(xml: Any) -> Oddities:
    """Reads a sheet's XML in pieces, each of whole rows."""
    found = Oddities()
    rest = b""
    while block := xml.read(1 << 20):
        text = rest + block
        cut = text.rfind(b"</row>") + 6
        if cut < 6:
            cut = 0 if b"<row" in text else text.rfind(b">") + 1
        found.look(text[:cut])
        rest = text[cut:]
    found.look(rest)
    return found


def _check(path: Path) -> None:
    try:
        archives.check_office(path)
    except archives.Damaged as error:
        raise _damaged(path, error.why.partition("(zip) ")[2]) from None


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
    except Exception as error:  # openpyxl raises whatever its parts raise on a damaged file
        if from_disk(error):
            raise
        raise _damaged(path, f"{type(error).__name__}: {str(error)[:120]}") from None
    finally:
        if book is not None:
            book.close()


def _damaged(path: Path, cause: str) -> BadInput:
    return refuse(
        path,
        f"It begins like a spreadsheet but is cut off or damaged ({cause}).",
        "Open it in a spreadsheet program, save it again as .xlsx or as csv (UTF-8), and import that.",
    )
