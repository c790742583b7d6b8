"""What every reader gives: records, and how far it has come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from studio.errors import BadInput


class Record(NamedTuple):
    """One example as it stands in the file.

    Args:
        line: where it stands, counted in the reader's `unit`.
        values: its named fields, None when it can't be read.
        problem: why it can't be read, in words that go on after “line 12: ”.
    """

    line: int
    values: dict[str, Any] | None
    problem: str = ""


class Reader(Protocol):
    """A file that gives records, as often as asked.

    kind: csv, tsv, json, jsonl, parquet, xlsx or txt; unit: “line” or “row”; done: bytes read so far of the running
    `records()`; notes: what a person should know about how it was read.
    """

    path: Path
    kind: str
    unit: str
    notes: list[str]
    done: int

    def records(self) -> Iterator[Record]: ...


def refuse(path: Path, why: str, next: str, what: str = "") -> BadInput:  # noqa: A002
    """The error for a file that can't be read as a whole."""
    return BadInput(what or f"{path.name} can't be read.", why, next, field="source")
