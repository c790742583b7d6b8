"""Rows that say much the same as one row, without a model: SQLite's FTS5 ranks by the words they share.

The ranking is BM25 (Robertson & Zaragoza 2009), which like TF-IDF counts rare words for more; what is shown is the
share of their words that two rows have in common (Jaccard). The index is made in memory when it is first asked for,
about 3 s for a hundred thousand short rows, and kept while the version is the latest.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from studio.datasets.rows import Row
from studio.datasets.store import Dataset

MOST_WORDS = 24  # of the row asked with, the rarest ones
CANDIDATES = 300
MOST_CHARACTERS = 4000  # of a row: what comes later seldom says what it is about
KEPT = 2
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Alike:
    """A row and how much it shares with the one asked with, from 0 to 1."""

    row_id: str
    share: float


class Similar:
    """An index of the rows of one version."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.ids: list[str] = []
        self.guard = threading.Lock()
        self.base = sqlite3.connect(":memory:", check_same_thread=False)
        self.base.execute("CREATE VIRTUAL TABLE said USING fts5(words, content='', detail='none')")
        self.base.execute("CREATE VIRTUAL TABLE seen USING fts5vocab(said, 'row')")
        self.base.executemany("INSERT INTO said(rowid, words) VALUES (?, ?)", self._said(rows))

    def _said(self, rows: Iterable[Row]) -> Iterable[tuple[int, str]]:
        for row in rows:
            self.ids.append(row.row_id)
            yield len(self.ids), text_of(row)

    def to(self, row: Row) -> list[tuple[str, float]]:
        """(row id, rank) of the rows that share words with this one, best first, the row itself left out."""
        words = sorted(words_of(row))
        with self.guard:
            marks = ",".join("?" * len(words))
            sql = f"SELECT term FROM seen WHERE term IN ({marks}) AND doc > 1 ORDER BY doc LIMIT {MOST_WORDS}"
            rare = [term for (term,) in self.base.execute(sql, words)] if words else []
            if not rare:
                return []
            query = " OR ".join(f'"{term}"' for term in rare)
            found = self.base.execute(
                "SELECT rowid, rank FROM said WHERE said MATCH ? ORDER BY rank LIMIT ?", (query, CANDIDATES + 1)
            ).fetchall()
        return [(self.ids[place - 1], -rank) for place, rank in found if self.ids[place - 1] != row.row_id]


def similar(dataset: Dataset, row: Row, limit: int) -> list[Alike]:
    """The rows of the latest version that say most nearly the same as `row`, most alike first."""
    found = [row_id for row_id, _ in _index(dataset).to(row)][:CANDIDATES]
    words = words_of(row)
    others = dataset.find(None, found)
    alike = [Alike(row_id, _share(words, words_of(others[row_id]))) for row_id in found if row_id in others]
    return sorted(alike, key=lambda each: -each.share)[:limit]


def text_of(row: Row) -> str:
    """What a row says, its label left out: rows of another label may well be alike."""
    turns = [*(row.messages or []), *(row.chosen or [])]
    said = "\n".join(str(turn.get("content") or "") for turn in turns if turn["role"] != "system")
    return f"{said}\n{row.text or ''}"[:MOST_CHARACTERS]


def words_of(row: Row) -> set[str]:
    return set(WORD.findall(text_of(row).lower()))


def _share(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


_indexes: dict[tuple[Path, int], Similar] = {}
_guard = threading.Lock()


def _index(dataset: Dataset) -> Similar:
    path = dataset.path()
    key = (path, path.stat().st_mtime_ns)
    with _guard:  # one at a time: a second one asked for meanwhile is the same
        if key not in _indexes:
            while len(_indexes) >= KEPT:
                _indexes.pop(next(iter(_indexes))).base.close()
            _indexes[key] = Similar(dataset.rows())
        return _indexes[key]
