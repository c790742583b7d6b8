"""reviews.jsonl as it is read: what stands, row by row, taken in as the log grows.

A line is one review, or a `batch` of them that was made at once and is taken back at once; it is one line, so a crash
leaves all of it or nothing. Lines are numbered from 1; an `undo` names the number that counts no more, and with `only`
the one row of a batch for which it does not.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio import logs
from studio.logs import Line, Log

KEPT = 32  # logs that a process keeps in memory, the last used ones


class ReviewLog:
    """One log, read up to its present end by each `read()`; what was read before costs nothing again.

    A deed is a review of one row: a line of its own, or one of a batch with that line's number, time, `by` and `why`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tail = logs.Tail(path)
        self.guard = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self.last = 0
        self.standing: dict[int, list[Line]] = {}  # number → its deeds, in the order of the log
        self.by_row: dict[str, list[Line]] = {}
        self.folds: dict[Any, Fold] = {}

    def read(self) -> ReviewLog:
        """Takes in what was written since."""
        with self.guard:
            lines, anew = self.tail.more()
            if anew:
                self._forget()
            for line in lines:
                self._take(line)
        return self

    def _take(self, line: Line) -> None:
        number = int(line.get("number", 0))
        self.last = max(self.last, number)
        if line["type"] == "undo":
            self._take_back(int(line.get("of", 0)), line.get("only"))
            return
        shared = {name: line[name] for name in ("number", "version", "time", "by", "why") if name in line}
        deeds = (
            [shared | deed for deed in line["deeds"]] if line["type"] == "batch" else [line] if line.get("row") else []
        )
        self.standing[number] = deeds
        for deed in deeds:
            self.by_row.setdefault(deed["row"], []).append(deed)
            self._changed(deed["row"])

    def _take_back(self, number: int, only: str | None) -> None:
        """Forgets the deeds of one number, or those of one row among them."""
        deeds = self.standing.pop(number, [])
        gone = {deed["row"] for deed in deeds if only in (None, deed["row"])}
        if stays := [deed for deed in deeds if deed["row"] not in gone]:
            self.standing[number] = stays
            self.standing = dict(sorted(self.standing.items()))
        for row in gone:
            self.by_row[row] = [deed for deed in self.by_row[row] if deed["number"] != number]
            self._changed(row)

    def _changed(self, row: str) -> None:
        for fold in self.folds.values():
            fold.stale.add(row)

    def fold(self, key: Any, of_row: Callable[[str, list[Line]], Any]) -> dict[str, Any]:
        """`of_row(row id, its standing deeds)` for every row that has any, None left out.

        Kept under `key`, of which only the rows with new reviews are made again; the caller must not change it.
        """

        def of_rows(rows: dict[str, list[Line]]) -> dict[str, Any]:
            found = ((row, of_row(row, deeds)) for row, deeds in rows.items())
            return {row: made for row, made in found if made is not None}

        return self.fold_together(key, of_rows)

    def fold_together(self, key: Any, of_rows: Callable[[dict[str, list[Line]]], dict[str, Any]]) -> dict[str, Any]:
        """As `fold`, where the rows with new reviews are looked at together: row id → its standing deeds."""
        with self.guard:
            fold = self.folds.get(key)
            if fold is None:
                self.folds = {known: each for known, each in self.folds.items() if known[0] != key[0]}
                fold = self.folds[key] = Fold(set(self.by_row))
            if fold.stale:
                made_of = dict(fold.made)  # others may be going through the one they were given
                for row in fold.stale:
                    made_of.pop(row, None)
                made_of |= of_rows({row: self.by_row.get(row, []) for row in fold.stale})
                fold.made, fold.stale = made_of, set()
            return fold.made

    def append(self, kind: str, **fields: Any) -> Line:
        """Writes the next line and returns it. The writer holds the lock of the reviews."""
        self.read()
        with Log(self.path) as log:
            line = log.append(kind, number=self.last + 1, **fields)
        self.read()
        return line


class Fold:
    """What was made of each row, and which rows are to be looked at again."""

    def __init__(self, stale: set[str]) -> None:
        self.made: dict[str, Any] = {}
        self.stale = stale


_kept: OrderedDict[Path, ReviewLog] = OrderedDict()
_guard = threading.Lock()


def review_log(path: Path) -> ReviewLog:
    """The log at `path`, read up to its end; the same object within a process."""
    with _guard:
        log = _kept.pop(path, None) or ReviewLog(path)
        _kept[path] = log
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return log.read()
