"""What must not stand in one mixture: rows to train on beside held-out rows that they belong with, in whichever part.

Rows belong together as they do for a split (grouping.py): they ask the same, are near-duplicates, come from one
document or conversation, have the same value of a column by which a part was split, or a model wrote one after the
other. Of such a group the rows of the test stay, or where it has none those of the validation; the others are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from studio.datasets.likeness import SAMPLE
from studio.datasets.rows import ORIGIN, Row, origin_of
from studio.datasets.splitting import leaks
from studio.datasets.splitting.grouping import Groups, Watch, grouped
from studio.datasets.store import Dataset
from studio.kept import Kept
from studio.settings.splitting import SplitSettings

KEPT: Kept[list[frozenset[str]]] = Kept(4)


@dataclass(frozen=True)
class Some:
    """Some rows of a version: those with these ids."""

    dataset: Dataset
    version: int
    ids: frozenset[str]

    def rows(self) -> Iterator[Row]:
        """They, each saying which dataset it is of, a row of another mixture which one it was of before."""
        for row in self.dataset.rows(self.version):
            if row.row_id in self.ids:
                yield self._named(row)

    def sample(self, most: int) -> Iterator[Row]:
        return map(self._named, self.dataset.spread(self.version, most))

    def _named(self, row: Row) -> Row:
        return row if origin_of(row) else replace(row, extra=row.extra | {ORIGIN: {"dataset": self.dataset.name}})

    @property
    def stamp(self) -> tuple[str, int, int]:
        """Tells them from any others: a version never changes, and which ids are of it depends on the recipe only."""
        path = self.dataset.path(self.version)
        return str(path), path.stat().st_mtime_ns, hash(self.ids)


def left_out(parts: Sequence[Some], near: bool, watch: Watch) -> list[frozenset[str]]:
    """Of each part the ids of the rows that are left out.

    Args:
        near: whether near-duplicates are looked for.
        watch: called now and then with rows done, rows in all, and what is being done; may raise to stop.
    """
    keep = _kept_columns(parts)
    asked = (near, *keep, *(part.stamp for part in parts))
    return KEPT.get(asked, lambda: _looked(parts, near, keep, watch))


def _looked(parts: Sequence[Some], near: bool, keep: list[str], watch: Watch) -> list[frozenset[str]]:
    total = sum(len(part.ids) for part in parts)
    sample = (row for part in parts for row in part.sample(SAMPLE // len(parts))) if near else ()
    rows = (row for part in parts for row in part.rows())
    settings = SplitSettings.model_validate({"dataset": "parts", "near": near, "keep": keep})
    groups = grouped(rows, total, sample, settings, watch)
    gone = _standing_apart(groups)
    found, start = [], 0
    for part in parts:
        end = start + len(part.ids)
        found.append(frozenset(groups.ids[row] for row in range(start, end) if row in gone))
        start = end
    return found


def _standing_apart(groups: Groups) -> set[int]:
    """The rows of crossing groups that are not on the side that is held out most."""
    gone: set[int] = set()
    for rows in leaks.crossing(groups, groups.sides):
        most = max(groups.sides[row] for row in rows)
        gone.update(row for row in rows if groups.sides[row] < most)
    return gone


def _kept_columns(parts: Sequence[Some]) -> list[str]:
    """The columns by which the parts were split."""
    return list(dict.fromkeys(name for part in parts for name in leaks.kept_columns(part.dataset)))
