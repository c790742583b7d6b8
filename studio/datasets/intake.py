"""The inner loop of an import: each record is a row with an id, or bad with a reason."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any, NamedTuple, Protocol

from studio.datasets.drafts import Draft, Drafter
from studio.datasets.records import Record
from studio.datasets.rows import Side, content_hash, key_id, row_id
from studio.datasets.split import SIDES, assign, side_of
from studio.datasets.turns import BadRow
from studio.errors import BadInput

KEPT = 1000
SHOWN = 5
PLACES = {side: place for place, side in enumerate(SIDES)}


class BadRecord(NamedTuple):
    """A record that can't be used: its line or row, and why."""

    line: int
    reason: str


class BadRows(BadInput):
    """Rows that can't be used, and nobody consented to leaving them out."""

    def __init__(self, what: str, why: str, next: str, count: int, bad: list[BadRecord]) -> None:  # noqa: A002
        super().__init__(what, why, next, field="skip_bad")
        self.count = count
        self.bad = bad

    def as_dict(self) -> dict[str, Any]:
        return super().as_dict() | {"bad_rows": self.count, "bad": [item._asdict() for item in self.bad]}


def draft_of(record: Record, drafter: Drafter) -> tuple[Draft, bytes]:
    """What a record teaches, and the hash of it. Raises BadRow."""
    if record.values is None:
        raise BadRow(record.problem)
    draft = drafter.draft(record.values)
    return draft, content_hash(draft.learned)


class Ids:
    """Gives the rows of one version their ids, and counts equal rows in groups."""

    def __init__(self) -> None:
        self.groups: dict[bytes, int] = {}
        self.sizes: list[int] = []
        self.keys: dict[str, int] = {}

    def give(self, digest: bytes, key: str | None, line: int) -> tuple[str, int]:
        """(row id, number of its group). Raises BadRow for a key given before."""
        if key is not None:
            first = self.keys.setdefault(key, line)
            if first != line:
                raise BadRow(f"its key “{key[:60]}” stands at {first:,} already")
        group = self.groups.setdefault(digest, len(self.groups))
        if group == len(self.sizes):
            self.sizes.append(0)
        self.sizes[group] += 1
        return (row_id(digest, self.sizes[group]) if key is None else key_id(key)), group


class Writer(Protocol):
    """Where good rows go."""

    def add(self, row_id: str, draft: Draft, line: int) -> None: ...


class Intake:
    """Takes records one by one; knows at the end the rows, the bad ones, and the side of each row."""

    def __init__(self, drafter: Drafter, writer: Writer, unit: str) -> None:
        self.drafter = drafter
        self.writer = writer
        self.unit = unit
        self.ids = Ids()
        self.groups = array("q")
        self.own_sides = array("b")
        self.bad: list[BadRecord] = []
        self.bad_count = 0
        self.reasons: Counter[str] = Counter()

    @property
    def rows(self) -> int:
        return len(self.groups)

    def take(self, record: Record) -> None:
        try:
            draft, digest = draft_of(record, self.drafter)
            side = self._own_side(draft.split) if draft.split is not None else None
            row, group = self.ids.give(digest, draft.key, record.line)
        except BadRow as error:
            self._reject(record.line, str(error))
            return
        self.writer.add(row, draft, record.line)
        self.groups.append(group)
        if side is not None:
            self.own_sides.append(PLACES[side])

    def _own_side(self, name: str) -> Side:
        side = side_of(name)
        if side is None:
            raise BadRow(f"its split is “{name[:40]}”, not train, validation or test" if name else "its split is empty")
        return side

    def _reject(self, line: int, reason: str) -> None:
        self.bad_count += 1
        if len(self.bad) < KEPT:
            self.bad.append(BadRecord(line, reason))
        if reason in self.reasons or len(self.reasons) < KEPT:
            self.reasons[reason] += 1

    def refuse(self, file: str, skip_bad: bool) -> None:
        """Raises BadInput when there is nothing to learn, and BadRows when rows are bad and may not be left out."""
        total = self.rows + self.bad_count
        if not total:
            raise BadInput(
                f"{file} has no rows.", "It has names of columns at most.", "Add examples to it.", field="source"
            )
        if self.bad_count and (not skip_bad or not self.rows):
            what = f"{self.bad_count:,} of the {total:,} rows of {file} can't be used."
            advice = "Correct them in the file and import it again, or leave them out with --skip-bad."
            if not self.rows:
                what = f"None of the {total:,} rows of {file} can be used."
                advice = "Correct the file, or say which columns are meant with --map ROLE=COLUMN."
            raise BadRows(what, self._summary(), advice, self.bad_count, self.bad)

    def _summary(self) -> str:
        """The most frequent reasons with their first places."""
        parts = []
        for reason, count in self.reasons.most_common(SHOWN):
            places = [f"{item.line:,}" for item in self.bad if item.reason == reason][:SHOWN]
            if count == 1 and places:
                parts.append(f"{self.unit} {places[0]}: {reason}")
            else:
                more = ", …" if count > len(places) else ""
                parts.append(f"{count:,} {self.unit}s ({', '.join(places)}{more}): {reason}")
        rest = self.bad_count - sum(count for _, count in self.reasons.most_common(SHOWN))
        return "; ".join(parts) + (f"; and {rest:,} more with other reasons." if rest else ".")

    def sides(self, fractions: dict[Side, float], seed: int) -> array[int]:
        """Of each row the place of its side in SIDES: as its own column says, else drawn."""
        if self.own_sides:
            return self.own_sides
        drawn = assign(list(self.ids.groups), self.ids.sizes, fractions, seed)
        places = [PLACES[side] for side in drawn]
        return array("b", [places[group] for group in self.groups])
