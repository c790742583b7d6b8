"""What people did to rows: kept apart from the versions until one is frozen, and taken back as easily as made.

reviews.jsonl, read by log.py; each line has its number, from 1, and may say who made it (`by`):

    edit      the row's contents as they shall be
    exclude   the row is left out of the next version
    include   it is not
    move      the row's side: {split}
    tag       {tags: {name: text, or null to take it away}}
    judge     {status: pending | draft | accepted | discarded, …}: a decision of the review queue; a discarded row is
              left out, the content and the marked words of an accepted one hold, those of a draft do not yet
    batch     many of these at once: {deeds, why}
    undo      the line `of` that number counts no more (with `only`: for that row)

A version made from reviews says in dataset.json up to which number it has them (`reviews`); an imported one has none,
so what was done to a row carries over to a file that is imported again (what becomes of rows that were written here
says importing/written.py). Versions themselves never change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from filelock import FileLock

from studio import logs
from studio.datasets.additions import SYNTHETIC, Additions
from studio.datasets.reviewing.changes import Change, with_texts
from studio.datasets.reviewing.log import ReviewLog, review_log
from studio.datasets.rows import Row
from studio.datasets.splitting.sides import SIDES
from studio.datasets.store import Dataset, read_info
from studio.errors import BadInput, Refused
from studio.logs import Line

REVIEWS = "reviews.jsonl"
KINDS = ("edit", "exclude", "include", "move", "tag", "judge")
STATUSES = ("pending", "draft", "accepted", "discarded")
PATIENCE = 10.0


class Conflict(Refused):
    """Somebody else reviewed the row since it was looked at; `row` and the number of the last review are there."""

    def __init__(self, row: str, number: int) -> None:
        super().__init__(
            "Somebody changed this row meanwhile.",
            "It is no longer as you saw it, and nothing of yours or theirs is overwritten silently.",
            "Look at the row as it is now, then decide again.",
        )
        self.row, self.number = row, number


class Reviews:
    """The reviews of one dataset; they are made on its latest version and on the rows that wait to be added."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.path = dataset.folder / REVIEWS
        self.additions = Additions(dataset.folder)

    def log(self) -> ReviewLog:
        """The log, read up to its end."""
        return review_log(self.path)

    def pending(self) -> dict[str, Change]:
        """The changes that the latest version does not have yet, by row id; of rows that it has."""
        changes = self._changes()
        there = self._there(changes)
        return {row: change for row, change in changes.items() if row in there}

    def to_freeze(self) -> tuple[int, dict[str, Change], dict[str, Row]]:
        """What a version made now would have: up to which review, the changes, the added rows."""
        with self._lock():
            added = self.additions.rows()
            if there := self._there(added):  # a freeze that was killed at its very end did not come to say so
                self.additions.frozen(there, self.dataset.latest)
            return self.last(), self.pending(), self.accepted()

    def taken_back_since(self, number: int) -> bool:
        """Whether a review up to that number was taken back by a later one."""
        lines, _ = logs.read(self.path)
        return any(line["type"] == "undo" and line["number"] > number >= line.get("of", 0) for line in lines)

    def waiting(self) -> dict[str, Row]:
        """The added rows that the latest version does not have, by row id."""
        added = self.additions.rows()
        there = self._there(added)
        return {row_id: row for row_id, row in added.items() if row_id not in there}

    def accepted(self) -> dict[str, Row]:
        """The added rows that go into the next version, by row id, as they shall be there."""
        waiting = self.waiting()
        if not waiting:
            return {}
        changes, by_row = self._changes(), self.log().by_row
        found = {}
        for row_id, row in waiting.items():
            judged = [deed["status"] for deed in by_row.get(row_id, []) if deed["type"] == "judge"]
            change = changes.get(row_id)
            if judged and judged[-1] == "accepted" and not (change and change.excluded):
                found[row_id] = change.applied(row) if change else row
        return found

    def undecided(self) -> int:
        """How many of the added rows nobody has accepted or discarded yet."""
        by_row = self.log().by_row
        judged = ([deed["status"] for deed in by_row.get(row, []) if deed["type"] == "judge"] for row in self.waiting())
        return sum(not found or found[-1] not in ("accepted", "discarded") for found in judged)

    def unfrozen(self) -> int:
        """How many changes and added rows are in no version yet."""
        return len(self.pending()) + len(self.accepted())

    def last(self) -> int:
        """The number of the last review there is."""
        return self.log().last

    def number_of(self, row_id: str) -> int:
        """The number of the last review of a row that stands, 0 for none."""
        return self.numbers_of([row_id])[row_id]

    def numbers_of(self, rows: Iterable[str]) -> dict[str, int]:
        """The number of the last review of each row, as `seen` of `apply`."""
        by_row = self.log().by_row
        return {row: int(by_row[row][-1]["number"]) if by_row.get(row) else 0 for row in rows}

    def row(self, row_id: str) -> Row:
        """A row of the latest version or one that waits to be added, without its changes; NotFound for none."""
        return self.waiting().get(row_id) or self.dataset.row(self.dataset.latest, row_id)

    def edit(self, row_id: str, texts: list[dict[str, Any]], *, by: str = "", seen: int | None = None) -> Change | None:
        """Gives a row other texts.

        Args:
            texts: each `{"of": "messages" | "chosen" | "rejected" | "label" | "text", "at": turn, "text": words}`.
            by: the name of who did it.
            seen: the number of the last review that its editor saw.

        Returns:
            The row's pending change, None when it is again as it was.

        Raises:
            BadInput: a text that may not be empty is, or the row has no such place.
            Conflict: there is a later review of the row.
        """
        with self._lock():
            self._unchanged({row_id: seen} if seen is not None else {})
            row = self.row(row_id)
            content = self.edited(row, texts)
            same = all(getattr(row, name) == value for name, value in content.items())
            self._append("edit", by, row=row_id, content=None if same else content)
            return self._changes().get(row_id)

    def edited(self, row: Row, texts: list[dict[str, Any]]) -> dict[str, Any]:
        """All contents of a row with its pending changes and these texts replaced, as `edit` and `judge` store them."""
        before = self._changes().get(row.row_id)
        return with_texts(before.applied(row) if before else row, texts)

    def exclude(self, row_id: str, *, by: str = "") -> Change | None:
        """Leaves a row out of the next version."""
        return self._mark("exclude", row_id, by)

    def include(self, row_id: str, *, by: str = "") -> Change | None:
        """Takes a row that was excluded in again."""
        return self._mark("include", row_id, by)

    def apply(
        self, deeds: Iterable[Line], *, by: str = "", why: str = "", seen: Mapping[str, int] | None = None
    ) -> int:
        """Writes many reviews as one batch, which one undo takes back.

        Args:
            deeds: each with its `type`, its `row` and what its type has; rows that nobody has are passed over later.
            why: in a few words, for those who read the log.
            seen: row id → the number of the last review that was seen of it.

        Returns:
            The batch's number.

        Raises:
            BadInput: there is no deed, or one can't be read.
            Conflict: a row in `seen` has a later review.
        """
        checked = [_readable(deed) for deed in deeds]
        if not checked:
            raise BadInput("There is nothing to change.", "No row is meant.", "Choose rows first.")
        with self._lock():
            self._unchanged(seen or {})
            if len(checked) == 1:
                return self._append(checked[0].pop("type"), by, **checked[0], **({"why": why} if why else {}))
            return self._append("batch", by, why=why, deeds=checked)

    def undo(self, row_id: str | None = None, *, number: int | None = None) -> Line:
        """Takes back the last review that is in no version yet, a batch as a whole; or a row's last one, for it alone.

        Args:
            number: the review or batch to take back, instead of the last one; with a row what it did to that row.

        Returns:
            Its first deed, with `count`, how many deeds were taken back.

        Raises:
            Refused: there is none.
        """
        with self._lock():
            self.dataset = Dataset(self.dataset.folder, read_info(self.dataset.folder))  # it may have a version since
            log, known = self.log(), self._known()
            if number is None and row_id is None:
                number = next((number for number in reversed(log.standing) if log.standing[number]), 0)
            elif number is None:
                number = self.number_of(row_id or "")
            deeds = [deed for deed in log.standing.get(number, []) if row_id in (None, deed["row"])]
            if number <= known or not deeds:
                raise Refused(
                    "There is nothing to undo.",
                    "Every change is in a version already, or was taken back.",
                    "Edit the row again to change it.",
                )
            self._append("undo", "", of=number, row=deeds[0]["row"], **({"only": row_id} if row_id else {}))
            return deeds[0] | {"count": len(deeds)}

    def _mark(self, kind: str, row_id: str, by: str) -> Change | None:
        with self._lock():
            self.row(row_id)
            self._append(kind, by, row=row_id)
            return self._changes().get(row_id)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Nobody can review anything meanwhile."""
        with self._lock():
            yield

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time, whichever page or command it is."""
        folder = self.dataset.folder
        with FileLock(folder.parent / f".{folder.name}.reviews.lock", timeout=PATIENCE, is_singleton=False):
            yield

    def _append(self, kind: str, by: str, **fields: Any) -> int:
        named = {"by": by} if by else {}
        return int(self.log().append(kind, version=self.dataset.latest, **named, **fields)["number"])

    def _unchanged(self, seen: Mapping[str, int]) -> None:
        for row, number in self.numbers_of(seen).items():
            if seen[row] != number:
                raise Conflict(row, number)

    def _known(self) -> int:
        """Up to which number the latest version has the reviews."""
        return int(self.dataset.version_info().get("reviews", 0))

    def _changes(self) -> dict[str, Change]:
        """What the reviews that are in no version yet make of each row, there or not."""
        known = self._known()

        def change(row: str, deeds: list[Line]) -> Change | None:
            made = Change(row, 0)
            for deed in deeds:
                if deed["number"] > known:
                    made = made.with_deed(deed)
            changed = made.content or made.excluded or made.split or made.tags or made.spans is not None
            return made if changed else None

        return self.log().fold(("changes", known), change)

    def _there(self, rows: Iterable[str]) -> set[str]:
        """Those of these rows that the latest version has; each is looked up once."""
        known: dict[str, bool] = _looked_up(self.dataset)
        new = [row for row in rows if row not in known]
        if new:
            there = self.dataset.has(None, new)
            known.update((row, row in there) for row in new)
        return {row for row in rows if known[row]}


_lookups: dict[Any, dict[str, bool]] = {}


def _looked_up(dataset: Dataset) -> dict[str, bool]:
    """Row ids whose presence in the latest version is known; a version never changes, so neither does this."""
    path = dataset.path()
    key = (path, path.stat().st_mtime_ns)
    if key not in _lookups:
        for old in [known for known in _lookups if known[0].parent == path.parent]:
            _lookups.pop(old, None)
        _lookups[key] = {}
    return _lookups[key]


def _readable(deed: Line) -> Line:
    """A deed that the log can hold."""
    kind, row = deed.get("type"), deed.get("row")
    needs = {"edit": "content", "move": "split", "tag": "tags", "judge": "status"}.get(str(kind))
    right = kind in KINDS and isinstance(row, str) and (needs is None or needs in deed)
    if kind == "move":
        right = right and deed["split"] in SIDES
    if kind == "judge":
        right = right and deed["status"] in STATUSES
    if kind == "tag":
        right = right and isinstance(deed["tags"], dict) and SYNTHETIC not in deed["tags"]  # it says who wrote the row
    if not right:
        raise BadInput("This change can't be read.", f"{str(deed)[:200]} is none.", "Reload the page.")
    return dict(deed)
