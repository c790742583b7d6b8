"""A version as it is stored, brought in again as a file: its rows are read as the JSONL of that version has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.datasets.reading.records import Record
from studio.datasets.rows import SCHEMA, from_columns
from studio.errors import StudioError


def is_version(names: Sequence[str]) -> bool:
    """Whether a table has the columns of a version, and no others."""
    return list(names) == SCHEMA.names


def record(number: int, values: dict[str, Any]) -> Record:
    """One row: what it says in OpenAI's form, its id, side and tags, and the columns that came with it."""
    try:
        row = from_columns(values)
        made = row.record() | {"row_id": row.row_id, "split": row.split}
        beside = {name: value for name, value in (row.extra | row.tags).items() if name not in SCHEMA.names}
        return Record(number, beside | made)
    except (ValueError, TypeError, AttributeError, RecursionError, StudioError):  # whoever made it meant something else
        return Record(number, None, "it is no row as the studio stores it")
