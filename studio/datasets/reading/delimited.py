"""csv and tsv: the delimiter found, the header checked, one record for each line or quoted block of lines."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from studio.datasets.reading.decoding import LONGEST, lines, open_text, undecodable
from studio.datasets.reading.records import FileReader, Record, refuse
from studio.errors import BadInput

DELIMITERS = (",", ";", "\t", "|")
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
HEAD_LINES = 200
HEAD_CHARACTERS = 1 << 19

csv.field_size_limit(2**31 - 1)  # the default refuses cells over 131,072 characters


class Delimited(FileReader):
    """A csv or tsv file with a header line."""

    unit = "line"

    def __init__(self, path: Path, encoding: str, kind: str = "csv") -> None:
        super().__init__(path)
        self.encoding = encoding
        self.held = 0  # characters of the row that is being read
        self.row = 1  # the line it begins on
        head = read_head(path, encoding)
        self.delimiter, self.skipped = find_delimiter(head, "\t" if kind == "tsv" else ",")
        self.kind = "tsv" if self.delimiter == "\t" else "csv"
        self.notes = [f"the columns are separated by {NAMES.get(self.delimiter, self.delimiter)}"]

    def records(self) -> Iterator[Record]:
        """Raises BadInput for a file without header, with a name twice in it, or a quotation mark never closed."""
        with open_text(self.path, self.encoding) as file:
            table = csv.reader(self._bounded(lines(file, self.path)), delimiter=self.delimiter, strict=True)
            for _ in range(self.skipped):
                next(table)
            header = self._header(table)
            width = len(header)
            while True:
                start = self.row = table.line_num + 1
                self.held = 0
                try:
                    cells = next(table)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield Record(start, None, self._fault(error, start))
                    continue
                self.done = file.buffer.tell()
                if len(cells) == width:
                    if any(cells):
                        yield Record(start, dict(zip(header, cells, strict=True)))
                elif any(cells[width:]) or (any(cells) and len(cells) < width):
                    yield Record(start, None, f"it has {_cells(len(cells))}, but the header names {_cells(width)}")
                elif any(cells):  # a spreadsheet's empty cells to the right
                    yield Record(start, dict(zip(header, cells, strict=False)))

    def _bounded(self, source: Iterator[str]) -> Iterator[str]:
        """The lines of the file, ended in words where one row swallows more and more of them."""
        for line in source:
            self.held += len(line)
            if self.held > LONGEST:
                raise self._unclosed(self.row, f"within {LONGEST >> 20:,} million characters")
            yield line

    def _header(self, table: Iterator[list[str]]) -> list[str]:
        try:
            header = next((cells for cells in table if any(cell.strip() for cell in cells)), None)
        except csv.Error as error:
            raise refuse(
                self.path, f"Its header line can't be read: {error}.", "Correct the quotation marks in it."
            ) from None
        if header is None:
            raise refuse(self.path, "It has no line with text.", "Choose a file with a header line and rows below it.")
        return check_header(self.path, header)

    def _fault(self, error: csv.Error, start: int) -> str:
        if "unexpected end of data" in str(error):
            raise self._unclosed(start, "")
        return "a quotation mark inside a cell is not doubled, or text follows a closing one"

    def _unclosed(self, start: int, where: str) -> BadInput:
        return refuse(
            self.path,
            f"A quotation mark opened in the row that starts at line {start:,} is never closed{where and f' {where}'}, "
            "so the rest of the file can't be told apart.",
            f"Close or double the quotation mark near line {start:,}, or export the file again if it was cut off.",
        )


def _cells(count: int) -> str:
    return f"{count:,} cell" + ("" if count == 1 else "s")


def check_header(path: Path, cells: list[str]) -> list[str]:
    """The column names of a header: empty ones at its end dropped, others numbered; BadInput for one given twice."""
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    names = [name or f"column {number}" for number, name in enumerate(names, 1)]
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        raise BadInput(
            f"{path.name} names a column twice.",
            f"The header has “{double[0]}” {names.count(double[0])} times, so it is open which one is meant"
            + (f"; {len(double) - 1} more names are doubled." if len(double) > 1 else "."),
            "Give every column its own name in the first line.",
            field="source",
        )
    return names


def read_head(path: Path, encoding: str) -> list[str]:
    """The first lines, enough to see how the file is built; the last may be cut off."""
    with open_text(path, encoding) as file:
        try:
            text = file.read(HEAD_CHARACTERS)
        except UnicodeError as error:
            raise undecodable(path, encoding, error) from None
    return list(islice(io.StringIO(text, newline=""), HEAD_LINES))


def looks_delimited(head: list[str]) -> bool:
    """Whether lines of a file that does not say what it is are plainly a table: short names above rows that fit."""
    mark, skipped = find_delimiter(head, ",")
    names = head[skipped].strip().split(mark) if len(head) > skipped + 1 else []
    return bool(names) and _fit(head[skipped:], mark)[0] >= 0.9 and all(0 < len(name.strip()) <= 60 for name in names)


def find_delimiter(head: list[str], usual: str) -> tuple[str, int]:
    """(delimiter, lines to skip before the header), judged by how many rows have as many cells as the header.

    Excel's first line `sep=;` is believed.
    """
    first = head[0].strip() if head else ""
    if first.lower().startswith("sep=") and len(first) == 5:
        return first[4], 1
    best = max(DELIMITERS, key=lambda mark: (*_fit(head, mark), mark == usual))
    return (best if _fit(head, best)[0] > 0 else usual), 0


def _fit(head: list[str], mark: str) -> tuple[float, int]:
    """(share of rows that fit the header, cells of the header); (0, 0) when the header is not parted by `mark`."""
    try:
        rows = [cells for cells in csv.reader(head, delimiter=mark) if cells]
    except csv.Error:
        return 0.0, 0
    if not rows or len(rows[0]) < 2:
        return 0.0, 0
    width = len(rows[0])
    body = rows[1:-1] or rows[1:] or rows[:1]  # the head may end inside the last row
    return round(sum(len(cells) == width for cells in body) / len(body), 1) or 0.01, width
