"""txt: raw text cut into rows of sensible size at its natural ends, nothing but white space left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from studio.datasets.reading.decoding import blocks, open_text
from studio.datasets.reading.records import Cut, FileReader, Record

# About a thousand tokens: rows short enough for small models, long enough to keep what belongs together.
CUT = Cut()
CHARACTERS_A_WORD = 6
# Where a row may end, best first, each with the share of a row that must stand before it.
ENDS = (
    (re.compile(r"\n(?:[ \t]*\n)+"), 0.25),
    (re.compile(r"\n"), 0.25),
    (re.compile(r"(?<=[.!?…])[”\"')\]]*\s+|(?<=[。！？])"), 0.5),
    (re.compile(r"\s+"), 0.5),
)
BLANK = re.compile(r"(?:[ \t]*\n)*")


class PlainText(FileReader):
    """A text file; paragraphs are gathered into rows of so many characters at most."""

    kind = "txt"
    unit = "line"

    def __init__(self, path: Path, encoding: str, cut: Cut = CUT) -> None:
        super().__init__(path)
        self.encoding = encoding
        self.limit = cut.size * CHARACTERS_A_WORD if cut.words else cut.size
        self.notes = [f"paragraphs gathered into rows of up to {self.limit:,} characters"]

    def records(self) -> Iterator[Record]:
        with open_text(self.path, self.encoding) as file:
            for line, text in pieces(_normal(blocks(file, self.path)), self.limit):
                self.done = file.buffer.tell()
                yield Record(line, {"text": text})


def _normal(source: Iterator[str]) -> Iterator[str]:
    r"""The same text with every line end as \n, also where \r\n falls between two blocks."""
    held = ""
    for block in source:
        text = held + block
        held = "\r" if text.endswith("\r") else ""
        yield text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n")
    if held:
        yield "\n"


def pieces(source: Iterator[str], limit: int = CUT.size) -> Iterator[tuple[int, str]]:
    """(line it begins on, text) of each row; the texts in order are the whole text but for white space between rows."""
    text, line = "", 1
    for block in source:
        text += block
        start = 0
        while True:
            begin = BLANK.match(text, start).end()  # type: ignore[union-attr]
            line += text.count("\n", start, begin)
            start = begin
            if len(text) - begin <= limit:
                break
            start = _end(text, begin, limit)
            if row := text[begin:start].rstrip():
                yield line, row
            line += text.count("\n", begin, start)
        text = text[start:]
    if row := text.rstrip():
        yield line, row


def _end(text: str, begin: int, limit: int) -> int:
    """Where the row that begins there ends: the last good place within the limit, else at the limit itself."""
    window = text[begin : begin + limit]
    for pattern, share in ENDS:
        last = 0
        for match in pattern.finditer(window, int(limit * share)):
            last = match.end()
        if last:
            return begin + last
    return begin + limit
