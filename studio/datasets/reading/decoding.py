"""Text files as they come: their encoding found or refused, their lines read one by one."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from studio.errors import BadInput

BLOCK = 1 << 20
# Characters of one line or one JSON value: it must fit in memory several times over, and no example is so long.
LONGEST = 1 << 26
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def find_encoding(path: Path, asked: str = "auto") -> str:
    """The codec to read `path` with: the one its byte order mark says, the one asked for, or UTF-8.

    Raises:
        BadInput: there is no such encoding, or the file is no text.
    """
    with open(path, "rb") as file:
        head = file.read(4096)
    marked = next((name for mark, name in MARKS if head.startswith(mark)), None)
    if asked != "auto":
        return marked or check_encoding(asked)
    if marked:
        return marked
    if b"\0" in head:
        raise _no_text(path, head)
    return "utf-8"


def check_encoding(name: str) -> str:
    """The codec's own name (`utf-8` for `UTF8`), or BadInput."""
    try:
        info = codecs.lookup(name)
        if not getattr(info, "_is_text_encoding", True):
            raise LookupError
    except (LookupError, ValueError):
        raise BadInput(
            f"“{name}” is no encoding the studio knows.",
            "An encoding says which bytes stand for which letters.",
            "Leave --encoding out, or give utf-8, utf-16, cp1252 (Windows) or mac-roman.",
            field="encoding",
        ) from None
    return info.name


def _no_text(path: Path, head: bytes) -> BadInput:
    for order, start in (("utf-16-le", 1), ("utf-16-be", 0)):
        if head[start::2].count(0) > len(head) // 4:
            return BadInput(
                f"{path.name} is not in an encoding that can be told by itself.",
                "It looks like UTF-16, but has no byte order mark at its start.",
                f"Try again with --encoding {order}, or save the file as UTF-8.",
                field="encoding",
            )
    return BadInput(
        f"{path.name} is no text.",
        f"It holds what text never does (a zero byte, NUL, at byte {head.find(0):,}): a picture, an archive or a "
        "program's own format may have been given this name.",
        "Open it where it comes from and save it as a table (csv, xlsx, jsonl, parquet) or as text.",
        field="source",
    )


def open_text(path: Path, encoding: str) -> TextIO:
    """`path` opened for strict reading; line ends stay as they are."""
    return open(path, encoding=encoding, newline="")


def lines(file: TextIO, path: Path) -> Iterator[str]:
    """The lines of an open text file with their line ends.

    Raises:
        BadInput: bytes that the encoding does not know, a NUL, or a line that does not end; with their place.
    """
    number = 0
    try:
        while line := file.readline(LONGEST):
            number += 1
            if "\0" in line:
                raise _nul(path, number)
            if len(line) >= LONGEST and line[-1] not in "\r\n":
                raise _endless(path, number)
            yield line
    except UnicodeError as error:
        raise undecodable(path, file.encoding, error) from None


def blocks(file: TextIO, path: Path) -> Iterator[str]:
    """The same in pieces of about a million characters, for files whose lines mean nothing."""
    line = 1
    try:
        while block := file.read(BLOCK):
            if "\0" in block:
                raise _nul(path, line + block[: block.index("\0")].count("\n"))
            line += block.count("\n")
            yield block
    except UnicodeError as error:
        raise undecodable(path, file.encoding, error) from None


def _nul(path: Path, line: int) -> BadInput:
    return BadInput(
        f"{path.name} is damaged or no text.",
        f"Line {line:,} holds a NUL character, which text never does.",
        "Export the file again from where it came, and check that the copy is complete.",
        field="source",
    )


def _endless(path: Path, line: int) -> BadInput:
    return BadInput(
        f"Line {line:,} of {path.name} is too long.",
        f"It goes on for more than {LONGEST >> 20} million characters without an end; no example is that long.",
        "Check how the file was made: each row must stand on a line of its own.",
        field="source",
    )


def undecodable(path: Path, encoding: str, error: UnicodeError) -> BadInput:
    """Says where the first byte lies that `encoding` does not know; reads the file once more to find it."""
    offset, line, cause = _first_fault(path, encoding)
    advice = (
        "Save the file as UTF-8 (in Excel: “CSV UTF-8”), or name its encoding, for Windows files often "
        "--encoding cp1252."
    )
    if encoding.startswith("utf-16") or encoding.startswith("utf-32"):
        advice = "The file may be cut off: copy it again, or save it as UTF-8."
    return BadInput(
        f"{path.name} is not valid {encoding.removesuffix('-sig').upper()}.",
        f"Byte {offset:,}, in line {line:,}, {cause}." if cause else str(error),
        advice,
        field="encoding",
    )


def _first_fault(path: Path, encoding: str) -> tuple[int, int, str]:
    """(byte offset, line, what is wrong) of the first fault."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    offset, line = 0, 1
    with open(path, "rb") as file:
        while True:
            block = file.read(BLOCK)
            held = len(decoder.getstate()[0])
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                byte = error.object[error.start]
                # Line ends before the fault count whatever the width of a character is: zero bytes don't hide them.
                return (
                    offset - held + error.start,
                    line + error.object[: error.start].count(b"\n"),
                    f"0x{byte:02X}, stands for no letter",
                )
            except UnicodeError as error:
                return offset, line, str(error)
            if not block:
                return offset, line, ""
            offset += len(block)
            line += text.count("\n")
