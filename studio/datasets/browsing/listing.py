"""The list of a version's rows as somebody wants to see it: filtered, searched, sorted, with pending changes in it.

Everything is done on narrow columns of numbers; only the rows of one page are read whole. Where many rows may match a
search, a caller in a hurry gets what was found by then; how many match in all is estimated, and said to be, until
further calls have looked at the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from studio.datasets.browsing import columns
from studio.datasets.browsing.columns import TAG, Changes, Columns
from studio.datasets.browsing.fulltext import Numbers, asked, fold, said
from studio.datasets.browsing.hits import Hits, hits
from studio.datasets.browsing.index import Index, stamp
from studio.datasets.browsing.matches import Matches
from studio.datasets.rows import Row
from studio.errors import Busy
from studio.kept import Kept

if TYPE_CHECKING:
    from studio.datasets.reviewing.changes import Change
    from studio.datasets.store import Dataset
    from studio.workspace import Workspace

PATIENCE = 0.06  # seconds of looking for somebody who waits at a page
FOREVER = float("inf")
TOKENS = "tokens:"
MOST_INLINE = 4_000_000
INLINE: Kept[Columns] = Kept(4)
CHANGED: Kept[Changes] = Kept(8)
PENDING = ("changed", "excluded")


class Pending(NamedTuple):
    """Changes that are in no version yet, by row id, and the number of the last review they come from."""

    changes: Mapping[str, Change]
    last: int

    @classmethod
    def of(cls, dataset: Dataset, version: int | None = None) -> Pending:
        """Those of the latest version; older ones are as they are."""
        from studio.datasets.reviewing.reviews import Reviews

        if version not in (None, dataset.latest):
            return cls({}, 0)
        reviews = Reviews(dataset)
        last = reviews.last()  # before the changes: what was decided between the two is asked for again
        return cls(reviews.pending(), last)


@dataclass(frozen=True)
class Wanted:
    """Which rows, in which order.

    Args:
        search: words that stand in a turn, a text or a label, in any case; or a row id.
        split: only rows of this side.
        label: only rows with this label.
        tags: only rows with these tags.
        file: only rows that come from this source file.
        pending: only rows with a change that is in no version yet (`changed`), or that one leaves out (`excluded`).
        among: only rows with these ids.
        sort: "" as in the file; "characters", "turns", "tokens:MODEL", or either with "-" before it for the greatest
            first; "label", "file", "tag:NAME" by the alphabet; "changed" with the rows changed last first.
    """

    search: str = ""
    split: str | None = None
    label: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None
    pending: str = ""
    among: Sequence[str] | None = None
    sort: str = ""

    def texts(self) -> dict[str, str]:
        """The columns that must have a certain text."""
        named = {"split": self.split, "label": self.label, "file": self.file}
        return {name: text for name, text in named.items() if text is not None} | {
            TAG + name: text for name, text in self.tags.items()
        }


@dataclass(frozen=True)
class Page:
    """Some rows of those that match, and how many match; not `exact` while that is an estimate."""

    rows: list[Row]
    total: int
    exact: bool = True


@dataclass(frozen=True)
class Place:
    """Where a row stands among those that match: its number from 1, how many match, the ids before and after it."""

    number: int
    total: int
    previous: str | None
    next: str | None
    exact: bool = True


class Listing:
    """The rows of one version, with what is pending for it.

    Args:
        pending: None for a version that is shown as it is.
    """

    def __init__(self, dataset: Dataset, version: int, pending: Pending | None = None) -> None:
        self.dataset = dataset
        self.version = version
        self.pending = pending or Pending({}, 0)
        self.rows = int(dataset.version_info(version)["rows"])
        self.stamp = stamp(dataset, version)
        self.index = Index(dataset, version)

    def wanted(
        self,
        find: str = "",
        side: str = "",
        label: str = "",
        tags: Mapping[str, str] | None = None,
        file: str = "",
        sort: str = "",
    ) -> Wanted:
        """Which rows somebody means who says "" for all; as a side `changed` and `excluded` will do too."""
        split, pending = (None, side) if side in PENDING else (side or None, "")
        return Wanted(find, split, label or None, tags or {}, file or None, pending, sort=sort)

    def page(self, wanted: Wanted, offset: int, limit: int, patience: float = FOREVER) -> Page:
        """Rows `offset` to `offset + limit` of those that match.

        Args:
            patience: seconds after which to answer with what was found so far, the rest estimated. What was looked
                at is kept, so asking again gets further.
        """
        numbers, total, exact = self.matches(wanted).window(offset, limit, patience)
        return Page(self.dataset.at(self.version, numbers.tolist()), total, exact)

    def place(self, wanted: Wanted, row_id: str, patience: float = FOREVER) -> Place:
        """Where a row stands among those that match; its number is estimated when the patience ends."""
        here = self.dataset.numbers(self.version, [row_id]).get(row_id, -1)
        number, total, exact, before, after = self.matches(wanted).around(here, patience)
        beside = [near for near in (before, after) if near is not None]
        ids = dict(zip(beside, self.dataset.ids(self.version, beside), strict=True))
        return Place(number, total, ids.get(before), ids.get(after), exact)  # type: ignore[arg-type]

    def quick(self, workspace: Workspace) -> bool:
        """Whether sorting and filtering take no time: the version is small, or its index is there."""
        return self.index.state(workspace).columns

    def columns(self) -> Columns:
        """The narrow columns: of the index, or read out of the file, which is quick for small versions.

        Raises:
            Busy: the version is so large that they don't fit into memory, and the index is not made yet.
        """
        there = self.index.columns()
        if there is not None:
            return there
        if self.rows > MOST_INLINE:
            raise Busy(
                f"“{self.dataset.name}” can't be sorted or filtered yet.",
                f"It has {self.rows:,} rows; what is needed for that is still being made.",
                "Wait until it is done: the list of rows says how far it is.",
            )
        key = (str(self.index.folder), self.stamp)
        return INLINE.get(key, lambda: columns.make(self.dataset, self.version))

    def now(self) -> Columns:
        """The same with pending changes."""
        key = (str(self.index.folder), self.stamp, self.pending.last)
        return (
            INLINE.get(key, lambda: self.columns().changed(self.changed())) if self.pending.changes else self.columns()
        )

    def changed(self) -> Changes:
        """The pending changes, each with the numbers of the rows that it is made to."""
        if not self.pending.changes:
            return ()
        return CHANGED.get((str(self.index.folder), self.stamp, self.pending.last), self._changes)

    def _changes(self) -> Changes:
        changes = self.pending.changes
        numbers = self.dataset.places(self.version, changes.keys())
        # Rows to which the same was done share one change (reviewing/log.py), so they are parted by which it is.
        which = np.fromiter(map(id, changes.values()), np.int64, len(changes))
        order = np.argsort(which, kind="stable")
        starts = np.flatnonzero(np.diff(which[order], prepend=-1))
        each = {id(change): change for change in changes.values()}
        parts = zip(starts, [*starts[1:], len(order)], strict=True)
        found = ((each[which[order[start]]], numbers[order[start:end]]) for start, end in parts)
        return [(change, rows[rows >= 0]) for change, rows in found]

    def matches(self, wanted: Wanted) -> Matches:
        """The rows that match, in order."""
        mask = self._mask(wanted)
        if not wanted.search:
            numbers = np.arange(self.rows) if mask is None else np.flatnonzero(mask)
            return Matches(numbers[self._order(numbers, wanted.sort)])
        found = hits(self.dataset, self.version, wanted.search)
        numbers, places = self._with_edits(found, wanted.search)
        if mask is not None:
            kept = mask[numbers]
            numbers, places = numbers[kept], places[kept]
        order = self._order(numbers, wanted.sort)
        return Matches(numbers[order], found, places[order])

    def _with_edits(self, found: Hits, words: str) -> tuple[Numbers, Numbers]:
        """The candidates and their places; edited rows are searched as they are now."""
        numbers, places = found.numbers, np.arange(len(found.numbers))
        edited = {number: change.content for change, rows in self.changed() if change.content for number in rows}
        if not edited:
            return numbers, places
        kept = ~np.isin(numbers, list(edited))
        needle = fold(asked(words))
        new = np.array([at for at, content in edited.items() if needle in said(content or {})], np.int64)
        numbers = np.concatenate([numbers[kept], new])
        places = np.concatenate([places[kept], np.full(len(new), -1)])
        order = np.argsort(numbers)
        return numbers[order], places[order]

    def _mask(self, wanted: Wanted) -> npt.NDArray[np.bool_] | None:
        """Which rows pass the filters; None when there are none."""
        mask: npt.NDArray[np.bool_] | None = None
        for name, text in wanted.texts().items():
            found = self.now().equal(name, text)
            mask = found if mask is None else mask & found
        for numbers in self._named(wanted):
            named = np.zeros(self.rows, np.bool_)
            named[numbers] = True
            mask = named if mask is None else mask & named
        return mask

    def _named(self, wanted: Wanted) -> Iterator[Numbers]:
        """The numbers of the rows that a filter names, filter by filter."""
        if wanted.pending:
            found = [rows for change, rows in self.changed() if change.excluded or wanted.pending == "changed"]
            yield np.concatenate([np.empty(0, np.int64), *found])
        if wanted.among is not None:
            places = self.dataset.places(self.version, wanted.among)
            yield places[places >= 0]

    def _order(self, numbers: Numbers, sort: str) -> Numbers:
        """How to order these numbers, which ascend; equal ones stay in the file's order."""
        keys = self._keys(numbers, sort)
        if keys is None or not len(numbers):
            return np.arange(len(numbers))
        # Key and place in one number sort several times faster than by key alone in a way that keeps the order.
        packed = ((keys - keys.min()) << 32) | np.arange(len(numbers))
        packed.sort()
        order: Numbers = packed & 0xFFFFFFFF
        return order

    def _keys(self, numbers: Numbers, sort: str) -> Numbers | None:
        if not sort:
            return None
        if sort == "changed":
            keys = np.zeros(self.rows, np.int64)
            for change, rows in self.changed():
                keys[rows] = -change.number
            return keys[numbers]
        name = sort.removeprefix("-")
        counted = name.startswith(TOKENS)
        found = self._tokens(name.removeprefix(TOKENS), sort != name) if counted else self.now().keys(name)
        keys = found[numbers].astype(np.int64)
        return -keys if sort.startswith("-") else keys

    def _tokens(self, model: str, descending: bool) -> npt.NDArray[np.int32]:
        """The lengths of all rows in tokens; those that nobody could count stand last either way."""
        from studio.datasets.browsing.lengths import counts_of

        counts = counts_of(self.dataset, self.version, model)
        if counts is None:
            return np.zeros(self.rows, np.int32)
        return counts if descending else np.where(counts < 0, np.iinfo(np.int32).max, counts)
