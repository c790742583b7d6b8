"""What people did to rows: kept apart from the versions until one is frozen, and taken back as easily as made.

reviews.jsonl, read by log.py; each line has its number, from 1, and may say who made it (`by`):

    edit      the row's contents as they shall be
    exclude   the row is left out of the next version
    include   it is not
    move      the row's side: {split}
    tag       {tags: {name: text, or null to take it away}}
    judge     {status: pending | draft | accepted | discarded, …}: a decision of the review queue; a discarded row is
              left out, the content and the marked words of an accepted one hold, those of a draft do not yet
    batch     many of these at once: {deeds, why}; a deed may have `rows`, all that it was done to, instead of `row`
    undo      the line `of` that number counts no more (with `only`: for that row)

A version made from reviews says in dataset.json up to which number it has them (`reviews`); an imported one has none,
so what was done to a row carries over to a file that is imported again (what becomes of rows that were written here
says importing/written.py). Versions themselves never change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import compress
from typing import Any

from filelock import FileLock

from studio.datasets.additions import SYNTHETIC, Additions
from studio.datasets.reviewing.changes import Change, change_of, with_texts
from studio.datasets.reviewing.log import Deeds, ReviewLog, alike, names_rows, review_log, rows_of
from studio.datasets.rows import Row, compact
from studio.datasets.splitting.sides import SIDES
from studio.datasets.store import Dataset, read_info
from studio.errors import BadInput, Refused
from studio.kept import Kept
from studio.logs import Line

REVIEWS = "reviews.jsonl"
KINDS = ("edit", "exclude", "include", "move", "tag", "judge")
FROZEN: Kept[set[str]] = Kept(8)
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
        folder = dataset.folder
        self._file_lock = FileLock(folder.parent / f".{folder.name}.reviews.lock", timeout=PATIENCE, is_singleton=False)

    def log(self) -> ReviewLog:
        """The log, read up to its end."""
        return review_log(self.path)

    def pending(self) -> dict[str, Change]:
        """The changes that the latest version does not have yet, by row id; of rows that it has. Not to be changed."""
        known, path = self._known(), self.dataset.path()

        def of_rows(rows: dict[str, Deeds]) -> dict[str, Change]:
            changes = alike(rows, lambda deeds: change_of(deeds, known) or None)
            there = self.dataset.places(None, changes) >= 0
            return changes if there.all() else dict(compress(changes.items(), there.tolist()))

        return self.log().fold_together(("pending", path, path.stat().st_mtime_ns, known), of_rows)

    def to_freeze(self) -> tuple[int, dict[str, Change], dict[str, Row]]:
        """What a version made now would have: up to which review, the changes, the added rows."""
        with self._lock():
            added = self.additions.rows()
            if there := self._frozen(added):  # a freeze that was killed at its very end did not come to say so
                self.additions.frozen(there, self.dataset.latest)
            return self.last(), self.pending(), self.accepted()

    def taken_back_since(self, number: int) -> bool:
        """Whether a review up to that number was taken back by a later one."""
        return any(at > number >= taken for at, (taken, _) in self.log().undone.items())

    def rows_taken_back_since(self, number: int) -> set[str]:
        """The rows that were rid of a review up to that number by a later one."""
        undone = self.log().undone
        return {row for at, (taken, rows) in undone.items() if at > number >= taken for row in rows.to_pylist()}

    def waiting(self) -> dict[str, Row]:
        """The added rows that the latest version does not have, by row id."""
        added = self.additions.rows()
        there = self._frozen(added)
        return {row_id: row for row_id, row in added.items() if row_id not in there}

    def accepted(self) -> dict[str, Row]:
        """The added rows that go into the next version, by row id, as they shall be there."""
        waiting = self.waiting()
        if not waiting:
            return {}
        by_row = self.log().by_row
        found = {}
        for row_id, row in waiting.items():
            judged = [deed["status"] for deed in by_row.get(row_id, ()) if deed["type"] == "judge"]
            change = self._change(row_id)
            if judged and judged[-1] == "accepted" and not change.excluded:
                found[row_id] = change.applied(row)
        return found

    def undecided(self) -> int:
        """How many of the added rows nobody has accepted or discarded yet."""
        by_row = self.log().by_row
        judged = ([deed["status"] for deed in by_row.get(row, ()) if deed["type"] == "judge"] for row in self.waiting())
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
            return self._change(row_id) or None

    def edited(self, row: Row, texts: list[dict[str, Any]]) -> dict[str, Any]:
        """All contents of a row with its pending changes and these texts replaced, as `edit` and `judge` store them."""
        return with_texts(self._change(row.row_id).applied(row), texts)

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
            deeds: each with its `type`, its `row` or `rows` and what its type has; rows that nobody has are passed over
                later.
            why: in a few words, for those who read the log.
            seen: row id → the number of the last review that was seen of it.

        Returns:
            The batch's number.

        Raises:
            BadInput: there is no deed, or one can't be read.
            Conflict: a row in `seen` has a later review.
        """
        checked = _together([_readable(deed) for deed in deeds])
        if not checked:
            raise BadInput("There is nothing to change.", "No row is meant.", "Choose rows first.")
        with self._lock():
            self._unchanged(seen or {})
            if len(checked) == 1 and "row" in checked[0]:
                return self._append(checked[0].pop("type"), by, **checked[0], **({"why": why} if why else {}))
            return self._append("batch", by, why=why, deeds=checked)

    def last_standing(self) -> Line | None:
        """The review that `undo` would take back: its `number`, and `by`, who made it; None where there is none."""
        standing = self.log().standing
        number = next((number for number in reversed(standing) if standing[number]), 0)
        if number <= self._known():
            return None
        return {"number": number, "by": self.made_by(number)}

    def made_by(self, number: int) -> str:
        """The name of who made a review that stands, "" for one without a name."""
        deeds = self.log().standing.get(number)
        return str(deeds[0].get("by", "")) if deeds else ""

    def undo(self, row_id: str | None = None, *, number: int | None = None, by: str = "") -> Line:
        """Takes back the last review that is in no version yet, a batch as a whole; or a row's last one, for it alone.

        Args:
            number: the review or batch to take back, instead of the last one; with a row what it did to that row.
            by: who takes it back.

        Returns:
            Its first deed, for its first row, with `count`, how many times a row was rid of one.

        Raises:
            Refused: there is none.
        """
        with self._lock():
            self.dataset = Dataset(self.dataset.folder, read_info(self.dataset.folder))  # it may have a version since
            log, known = self.log(), self._known()
            if number is None and row_id is None:
                last = self.last_standing()
                number = last["number"] if last else 0
            elif number is None:
                number = self.number_of(row_id or "")
            found = [
                (deed, rows)
                for deed in log.standing.get(number, [])
                if (rows := [row for row in rows_of(deed) if row_id in (None, row)])
            ]
            if number <= known or not found:
                raise Refused(
                    "There is nothing to undo.",
                    "Every change is in a version already, or was taken back.",
                    "Edit the row again to change it.",
                )
            deed, (row, *_) = found[0]
            self._append("undo", by, of=number, row=row, **({"only": row_id} if row_id else {}))
            told = {name: value for name, value in deed.items() if name != "rows"}
            return told | {"row": row, "count": sum(len(rows) for _, rows in found)}

    def _mark(self, kind: str, row_id: str, by: str) -> Change | None:
        with self._lock():
            self.row(row_id)
            self._append(kind, by, row=row_id)
            return self._change(row_id) or None

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Nobody can review anything meanwhile, but by these Reviews and in this thread."""
        with self._lock():
            yield

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time, whichever page or command it is; who holds it already may take it again."""
        with self._file_lock:
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

    def _change(self, row_id: str) -> Change:
        """What the reviews that are in no version yet make of a row, there or not."""
        return change_of(self.log().by_row.get(row_id, ()), self._known())

    def _frozen(self, added: dict[str, Row]) -> set[str]:
        """Those of the added rows that the latest version has."""
        path = self.dataset.path()
        return FROZEN.get((path, path.stat().st_mtime_ns, *added), lambda: self.dataset.has(None, list(added)))


def _together(deeds: list[Line]) -> list[Line]:
    """Deeds that say the same of their rows as one; as they are where a row has several, whose order counts."""
    rows = [deed.get("rows") or [deed["row"]] for deed in deeds]
    if len(deeds) == 1 or len({row for each in rows for row in each}) < sum(map(len, rows)):
        return deeds
    found: dict[tuple[str, str], tuple[Line, list[str]]] = {}
    for deed, each in zip(deeds, rows, strict=True):
        about = {name: value for name, value in deed.items() if name not in ("row", "rows")}
        said = (each[0], "") if "content" in deed else ("", compact(about))  # hardly two rows have the same contents
        found.setdefault(said, (about, []))[1].extend(each)
    return [about | ({"rows": each} if len(each) > 1 else {"row": each[0]}) for about, each in found.values()]


def _readable(deed: Line) -> Line:
    """A deed that the log can hold."""
    kind = deed.get("type")
    needs = {"edit": "content", "move": "split", "tag": "tags", "judge": "status"}.get(str(kind))
    right = kind in KINDS and names_rows(deed) and (needs is None or needs in deed)
    if kind == "move":
        right = right and deed["split"] in SIDES
    if kind == "judge":
        right = right and deed["status"] in STATUSES
    if kind == "tag":
        right = right and isinstance(deed["tags"], dict) and SYNTHETIC not in deed["tags"]  # it says who wrote the row
    if not right:
        raise BadInput("This change can't be read.", f"{str(deed)[:200]} is none.", "Reload the page.")
    if "rows" not in deed:
        return dict(deed)
    once = list(dict.fromkeys(deed["rows"]))
    alone = {name: value for name, value in deed.items() if name not in ("row", "rows")}
    return alone | ({"rows": once} if len(once) > 1 else {"row": once[0]})
