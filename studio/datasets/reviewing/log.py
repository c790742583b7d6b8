"""reviews.jsonl as it is read: what stands, row by row, taken in as the log grows.

A line is one review, or a `batch` of them that was made at once and is taken back at once; it is one line, so a crash
leaves all of it or nothing. What a batch does to many rows alike is one deed with `rows` instead of `row`. Lines are
numbered from 1; an `undo` names the number that counts no more, and with `only` the one row of a batch for which it
does not.

A deed may have been done to a million rows, so each row has no more than its id and a share in what rows with the same
reviews have together: their tuple of deeds, and what is made of it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from studio import logs
from studio.logs import Line, Log

Deed = Mapping[str, Any]  # a review of one row, or of many alike
Deeds = tuple[Deed, ...]  # those of a row; rows that have the same ones share them
TOGETHER = 1 << 24  # bytes that are read at once; a line may name a million rows
FEW = 1000  # rows for which a fold is always mended
KEPT = 32  # logs that a process keeps in memory, the last used ones


class ReviewLog:
    """One log, read up to its present end by each `read()`; what was read before costs nothing again.

    A deed is a line of its own, or one of a batch with that line's number, time, `by` and `why`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tail = logs.Tail(path)
        self.guard = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self.last = 0
        self.standing: dict[int, list[Deed]] = {}  # number → its deeds, in the order of the log
        self.undone: dict[int, tuple[int, pa.StringArray]] = {}  # number of each undo → the number, and whose rows
        self.by_row: dict[str, Deeds] = {}
        self.folds: dict[Any, Fold] = {}

    def read(self) -> ReviewLog:
        """Takes in what was written since."""
        with self.guard:
            while True:
                lines, anew = self.tail.more(TOGETHER)
                if anew:
                    self._forget()
                for line in lines:
                    self._take(line)
                if not lines:
                    return self

    def _take(self, line: Line) -> None:
        number = line.get("number")
        if type(number) is not int:
            return
        self.last = max(self.last, number)
        if not _readable(line):
            return
        if line["type"] == "undo":
            of = line.get("of", 0)
            self.undone[number] = of, pa.array(self._take_back(of, line.get("only")), pa.string())
            return
        deeds = list(_deeds(line))
        self.standing[number] = [deed for deed, _ in deeds]
        for deed, rows in deeds:
            self._add(deed, rows)

    def _add(self, deed: Deed, rows: Collection[str]) -> None:
        self._each(rows, lambda before: (*before, deed))

    def _take_back(self, number: int, only: str | None) -> set[str]:
        """Forgets the deeds of one number, or those of one row among them; returns the rows they were done to."""
        deeds = self.standing.pop(number, [])
        gone = {row for deed in deeds for row in rows_of(deed) if only in (None, row)}
        if stays := [left for deed in deeds if (left := _without(deed, only))]:
            self.standing[number] = stays
            self.standing = dict(sorted(self.standing.items()))
        self._each(gone, lambda before: tuple(deed for deed in before if deed["number"] != number))
        return gone

    def _each(self, rows: Collection[str], after: Callable[[Deeds], Deeds]) -> None:
        """Gives rows other deeds, made of those they had; rows that had the same ones share the new ones too."""
        made: dict[int, tuple[Deeds, Deeds]] = {}  # of one that is gone its place in memory may be another's
        for row in rows:
            before = self.by_row.get(row, ())
            if id(before) not in made:
                made[id(before)] = before, after(before)
            self.by_row[row] = made[id(before)][1]
        if len(rows) > max(FEW, len(self.by_row) // 2):
            self.folds = {}  # made anew sooner, and in less memory, than mended
        for fold in self.folds.values():
            fold.stale.update(rows)

    def fold(self, key: Any, of_deeds: Callable[[Deeds], Any]) -> dict[str, Any]:
        """`of_deeds(its standing deeds)` for every row that has any, None left out.

        Kept under `key`, of which only the rows with new reviews are made again, and those with the same reviews
        together; the caller must not change it.
        """
        return self.fold_together(key, lambda rows: alike(rows, of_deeds))

    def fold_together(self, key: Any, of_rows: Callable[[dict[str, Deeds]], dict[str, Any]]) -> dict[str, Any]:
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
                made_of |= of_rows({row: self.by_row[row] for row in fold.stale})
                fold.made, fold.stale = made_of, set()
            return fold.made

    def append(self, kind: str, **fields: Any) -> Line:
        """Writes the next line and returns it. The writer holds the lock of the reviews."""
        self.read()
        with Log(self.path) as log:
            line = log.append(kind, number=self.last + 1, **fields)
        self.read()
        return line


def rows_of(deed: Deed) -> list[str]:
    """The ids of the rows for which a deed of `standing` stands."""
    rows: list[str] = deed["rows"].to_pylist() if "rows" in deed else [deed["row"]]
    return rows


def alike(rows: Mapping[str, Deeds], of_deeds: Callable[[Deeds], Any]) -> dict[str, Any]:
    """`of_deeds` of each row, None left out; made once for all that share their deeds."""
    made: dict[int, Any] = {}
    found = {}
    for row, deeds in rows.items():
        if id(deeds) not in made:
            made[id(deeds)] = of_deeds(deeds)
        if made[id(deeds)] is not None:
            found[row] = made[id(deeds)]
    return found


def _readable(line: Line) -> bool:
    """Whether a line is one that is written here; one that somebody edited by hand must hide no other."""
    match line.get("type"):
        case "undo":
            return type(line.get("of", 0)) is int
        case "batch":
            return isinstance(line.get("deeds"), list) and all(map(names_rows, line["deeds"]))
    return names_rows(line)


def names_rows(deed: Any) -> bool:
    """Whether a deed says to which rows it was done, by ids that a file can hold."""
    if not isinstance(deed, dict) or not isinstance(deed.get("type"), str):
        return False
    rows = deed["rows"] if "rows" in deed else [deed.get("row")]
    if not isinstance(rows, list) or not rows or not all(isinstance(row, str) for row in rows):
        return False
    try:
        "".join(rows).encode()
    except UnicodeEncodeError:  # half of a pair that stands for one character
        return False
    return True


def _deeds(line: Line) -> Iterator[tuple[Deed, list[str]]]:
    """The deeds of a line and the rows that each was done to; those of a batch have what the batch says of all."""
    if line["type"] != "batch":
        yield line, [line["row"]]
        return
    shared = {name: line[name] for name in ("number", "version", "time", "by", "why") if name in line}
    for deed in line["deeds"]:
        if "rows" in deed:  # an array of Arrow's holds an id in a third of what a list does
            yield shared | deed | {"rows": pa.array(deed["rows"], pa.string())}, deed["rows"]
        else:
            yield shared | deed, [deed["row"]]


def _without(deed: Deed, row: str | None) -> Deed | None:
    """A deed as it stands for its other rows; None for all, or where there is no other."""
    if row is None or deed.get("row") == row:
        return None
    if "rows" not in deed:
        return deed
    rows = deed["rows"].filter(pc.not_equal(deed["rows"], row))
    return {**deed, "rows": rows} if len(rows) else None


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
