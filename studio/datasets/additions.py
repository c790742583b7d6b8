"""Rows that are in no version yet: written by a model or a person, they wait for the review queue.

additions.jsonl: `add` {rows, why} brings rows, `frozen` {rows, version} says that a version has them, and `again`
{rows, version} that they wait anew, as they stand in that version, because the one after it is made of the source
alone. What is decided on them stands in reviews.jsonl like that on any other row; freezing takes the accepted ones.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from studio import logs
from studio.datasets.rows import Row, content_hash
from studio.errors import BadInput
from studio.logs import Log

ADDITIONS = "additions.jsonl"
PATIENCE = 10.0
# The tag of a row that a model wrote, and the fields of `extra` that say from which rows and by what.
SYNTHETIC = "synthetic"
PARENTS = "parents"
MADE_BY = "made_by"
T = TypeVar("T", bound=Hashable)


class Additions:
    """The added rows of one dataset's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / ADDITIONS

    def add(self, rows: Iterable[Row], why: str) -> list[str]:
        """Puts rows in; those that wait there already are passed over.

        Args:
            rows: with ids, as `new_id` gives them.
            why: where they come from, in a few words.

        Returns:
            The ids of the rows that are new.

        Raises:
            BadInput: a row that a model wrote is meant for another side than training.
        """
        with self._lock():
            known = self.written()
            new = {row.row_id: row for row in rows if row.row_id not in known}
            for row in new.values():
                if SYNTHETIC in row.tags and row.split != "train":
                    raise BadInput(
                        "A row that a model wrote can't be held out.",
                        "What a model made can't show how good a model is.",
                        "Put it on the side of training.",
                    )
            if new:
                with Log(self.path) as log:
                    log.append("add", why=why, rows=[asdict(row) for row in new.values()])
        return list(new)

    def rows(self) -> dict[str, Row]:
        """The rows that are in no version yet, by row id, in the order in which they came."""
        found: dict[str, Row] = {}
        for line in self._lines("add", "frozen", "again"):
            if line["type"] == "frozen":
                for row_id in line["rows"]:
                    found.pop(row_id, None)
            else:
                found |= {row["row_id"]: Row(**row) for row in line["rows"]}
        return found

    def written(self) -> dict[str, list[str]]:
        """All rows that were ever added, whether a version has them or not: their ids, and those of their parents."""
        return {row["row_id"]: row["extra"].get(PARENTS) or [] for line in self._lines("add") for row in line["rows"]}

    def frozen(self, rows: Iterable[str], version: int) -> None:
        """Says that a version has these rows."""
        with self._lock(), Log(self.path) as log:
            log.append("frozen", rows=list(rows), version=version)

    def again(self, rows: Iterable[Row], version: int) -> None:
        """Says that these rows of a version wait anew, as they are here: the one after it has none of them."""
        with self._lock(), Log(self.path) as log:
            log.append("again", rows=[asdict(row) for row in rows], version=version)

    def _lines(self, *kinds: str) -> list[dict[str, Any]]:
        return [line for line in _read(self.path) if line["type"] in kinds] if self.path.exists() else []

    def _lock(self) -> FileLock:
        name = f".{self.folder.name}.additions.lock"
        return FileLock(self.folder.parent / name, timeout=PATIENCE, is_singleton=False)


def parents_of(row: Row) -> list[str]:
    """The ids of the rows that a model wrote this one after; none of a row that no model wrote."""
    return [str(parent) for parent in row.extra.get(PARENTS) or ()] if SYNTHETIC in row.tags else []


def descended(parents: Mapping[T, Iterable[T]], held_out: Iterable[T]) -> set[T]:
    """The rows that were written after held-out ones, at once or by way of other written rows.

    Args:
        parents: of each written row what it was written after.
    """
    children: dict[T, list[T]] = {}
    for row, after in parents.items():
        for parent in after:
            children.setdefault(parent, []).append(row)
    found: set[T] = set()
    look = list(held_out)
    while look:
        new = [child for child in children.get(look.pop(), ()) if child not in found]
        found.update(new)
        look += new
    return found


def new_id(row: Row) -> str:
    """An id for a row that no file brought: of its contents, and `a` in front."""
    learned = [row.kind, row.messages, row.chosen, row.rejected, row.label, row.text]
    return "a" + content_hash(json.loads(json.dumps(learned, default=str))).hex()


_kept: dict[Path, tuple[logs.Tail, list[dict[str, Any]]]] = {}
_guard = threading.Lock()


def _read(path: Path) -> list[dict[str, Any]]:
    """The lines of one log, read again only where it grew."""
    with _guard:
        tail, lines = _kept.setdefault(path, (logs.Tail(path), []))
        new, anew = tail.more()
        if anew:
            lines.clear()
        lines += new
        return list(lines)
