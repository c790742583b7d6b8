"""What every reader gives: records, and how far it has come."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from studio.errors import BadInput

if TYPE_CHECKING:
    from studio.datasets.importing.mapping import Guess


class Record(NamedTuple):
    """One example as it stands in the file.

    Args:
        line: where it stands, counted in the reader's `unit`.
        values: its named fields, None when it can't be read.
        problem: why it can't be read, in words that go on after “line 12: ”.
        file: which of several files it stands in, "" when there is one only.
        document, part: the document it was cut from, and which of its parts; the pieces of one part overlap.
    """

    line: int
    values: dict[str, Any] | None
    problem: str = ""
    file: str = ""
    document: str = ""
    part: int = 0


@dataclass(frozen=True)
class Cut:
    """How texts are cut into rows: `size` and `overlap` in characters, or in words."""

    size: int = 4000
    overlap: int = 200
    words: bool = False

    def length(self, text: str) -> int:
        return len(text.split()) if self.words else len(text)


@dataclass(frozen=True)
class Reading:
    """How a source is read.

    Args:
        encoding: of its text files, `auto` to find out.
        cut: how its documents are cut.
        entry: which dataset of a file that describes several.
        scratch: where archives unpack; the system's folder for such things when None.
        depth: in how many archives a file lies.
        glance: whether the first rows will do: then no more of a large packed table is unpacked than shows them.
    """

    encoding: str = "auto"
    cut: Cut = Cut()
    entry: str = ""
    scratch: Path | None = None
    depth: int = 0
    glance: bool = False


class Reader(Protocol):
    """A file (or several) that gives records, as often as asked.

    kind: csv, tsv, json, jsonl, parquet, arrow, xlsx, txt, md, html, pdf, docx, pptx, zip, folder …
    unit: what `Record.line` counts: “line”, “row”, “page” …
    notes: what a person should know about how it was read.
    size, done: bytes in all, and how many of them the running `records()` has read.
    known: what its fields mean, where the file itself says so.
    unread: whether a glance at it ended before the file did.
    """

    path: Path
    kind: str
    unit: str
    notes: list[str]
    size: int
    done: int
    known: Guess | None
    unread: bool

    def records(self) -> Iterator[Record]: ...

    def head(self) -> Iterator[Record]: ...


class FileReader:
    """What readers of one file have in common."""

    kind = ""
    unit = "row"
    known: Guess | None = None
    unread = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.done = 0
        self.notes: list[str] = []

    def records(self) -> Iterator[Record]:
        raise NotImplementedError

    def head(self) -> Iterator[Record]:
        """Records to judge the file by: its first; of several files some of each."""
        return self.records()


def from_disk(error: Exception) -> bool:
    """Whether an error is the disk's, not the file's: readers of damaged files seek to places that can't be."""
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def refuse(path: Path, why: str, next: str, what: str = "") -> BadInput:  # noqa: A002
    """The error for a file that can't be read as a whole."""
    return BadInput(what or f"{path.name} can't be read.", why, next, field="source")
