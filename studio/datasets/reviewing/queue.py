"""The review queue of a dataset: which rows wait, what stands on each, and judgements taken in without losing any.

Everything is read from the reviews' log as it grows (log.py), so that a judgement costs the same with the
hundred-thousandth as with the first.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from studio.datasets.reviewing import orders, suggestions
from studio.datasets.reviewing.changes import Change, change_of
from studio.datasets.reviewing.guidelines import Guidelines, guidelines
from studio.datasets.reviewing.judgements import (
    DRAFT,
    PENDING,
    STATES,
    Eye,
    judges,
    last_judgement,
    reasons,
    status_of,
)
from studio.datasets.reviewing.log import Deed, Deeds, rows_of
from studio.datasets.reviewing.orders import Order
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.reviewing.standing import Standing
from studio.datasets.rows import Row
from studio.datasets.store import Dataset
from studio.errors import NotFound
from studio.workspace import Workspace

CONFLICT, WRITTEN, DOCTOR, ALL = "conflict", "written", "doctor", "all"
SHOWS = (*STATES, CONFLICT, WRITTEN, DOCTOR, ALL)


@dataclass(frozen=True)
class Ask:
    """Which rows are wanted, and in which order.

    Args:
        eye: who looks.
        show: rows of this state, `conflict`, `written` (by a model, and pending), `doctor` (sent by it, and pending)
            or `all`.
        order: one of ORDERS; `loss` and `uncertain` need the id of a `run`.
        source: of suggestions, "" for none.
        stamp: the number of the last review when the reviewer began, so that their order stays as it was.
    """

    eye: Eye = field(default_factory=Eye)
    show: str = PENDING
    order: Order = "file"
    run: str = ""
    source: str = ""
    stamp: int = 0


@dataclass(frozen=True)
class Card:
    """One row as a reviewer sees it.

    Args:
        place: its place in the order, from 0.
        row: the row with everything done to it that the reviewer may see, their draft included.
        change: what was done to it since the version was made.
        status: what stands on it.
        seen: the number of the last review of it that is shown here, 0 for none; judgements name it.
        judgement: the last judgement that is shown here.
        history: the others, oldest first.
        reasons: why the doctor sent it, where nobody has judged it since.
        suggestion: an answer or a label, None for none; `suggested_label` when it is one of the label set.
        before, after: the rows beside it in the file.
        parents: the rows it was written after, for a row that a model wrote.
    """

    place: int
    row: Row
    change: Change
    status: str
    seen: int
    judgement: Deed | None = None
    history: tuple[Deed, ...] = ()
    reasons: tuple[str, ...] = ()
    suggestion: str | None = None
    suggested_label: str | None = None
    before: Row | None = None
    after: Row | None = None
    parents: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Stretch:
    """Some cards in order, where to go on, and whether the order ends there."""

    cards: list[Card]
    next: int
    end: bool


class Queue:
    """The queue of one dataset's latest version and of the rows that wait to be added."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.workspace = workspace
        self.dataset = Dataset.open(workspace, name)
        self.reviews = Reviews(self.dataset)
        self.added = self.reviews.waiting()
        self.standing = Standing(self.dataset, self.added)
        self.held: dict[str, Row] = {}
        self.ids, self.places = self._frame()
        self.known = int(self.dataset.version_info().get("reviews", 0))

    def _frame(self) -> Frame:
        """Every row id in the file's order, and the place of each; kept, as a version never changes."""
        path = self.dataset.path()
        key = (path, path.stat().st_mtime_ns, *self.added)
        return _kept(_frames, key, lambda: _framed((*orders.in_file(self.dataset), *self.added)))

    def guidelines(self) -> Guidelines:
        return guidelines(self.dataset)

    # ---- What stands ----

    def deeds(self, row_id: str, eye: Eye) -> Sequence[Deed]:
        """The standing reviews of a row that the eye may see."""
        return eye.seen(self.reviews.log().by_row.get(row_id, ()))

    def statuses(self, eye: Eye) -> dict[str, str]:
        """Row id → what stands on it, pending rows left out. Not to be changed."""

        def status(deeds: Deeds) -> str | None:
            found = status_of(eye.seen(deeds))
            return None if found == PENDING else found

        return self.reviews.log().fold((f"status {eye.key}",), status)

    def sent(self, eye: Eye) -> dict[str, tuple[str, ...]]:
        """Row id → why the doctor sent it, of the pending rows that it sent."""

        def why(deeds: Deeds) -> tuple[str, ...] | None:
            seen = eye.seen(deeds)
            return (reasons(seen) or None) if status_of(seen) == PENDING else None

        found = self.reviews.log().fold((f"sent {eye.key}",), why)
        return {row_id: reason for row_id, reason in found.items() if row_id in self.places}

    def conflicts(self) -> dict[str, list[Deed]]:
        """Row id → the judgements that differ, of the rows on which reviewers are not at one."""
        found = self.reviews.log().fold_together(("conflicts",), self.standing.conflicts)
        return {row_id: deeds for row_id, deeds in found.items() if row_id in self.places}

    def independent(self) -> dict[str, dict[str, Deed]]:
        """Row id → reviewer → the judgement they made by themselves, with what stood for it where two made one."""
        return self.reviews.log().fold_together(("independent",), self.standing.independent)

    def counts(self, eye: Eye) -> dict[str, int]:
        """How many rows are pending, draft, accepted, discarded, in conflict, written and pending, sent by the doctor
        and pending, and in all."""
        statuses = self.statuses(eye)
        found = Counter(status for row_id, status in statuses.items() if row_id in self.places)
        made = {state: found.get(state, 0) for state in STATES}
        made[PENDING] = len(self.ids) - sum(made.values())
        written = sum(statuses.get(row_id, PENDING) == PENDING for row_id in self.added)
        conflicts = 0 if eye.blind else len(self.conflicts())
        return made | {CONFLICT: conflicts, WRITTEN: written, DOCTOR: len(self.sent(eye)), "rows": len(self.ids)}

    def changed_since(self, number: int, eye: Eye) -> list[str]:
        """The rows with reviews after that number that the eye may see."""
        changed: dict[str, None] = {}
        standing = self.reviews.log().standing
        for each in reversed(list(standing)):
            if each <= number:
                break
            changed |= dict.fromkeys(row for deed in eye.seen(standing[each]) for row in rows_of(deed))
        return list(changed)

    def last_of(self, by: str) -> Deed | None:
        """The last judgement of a reviewer that stands, as for an undo after the page was left."""
        standing = self.reviews.log().standing
        for number in reversed(list(standing)):
            for deed in standing[number]:
                if deed["type"] == "judge" and deed.get("key") and deed.get("by", "") == by:
                    return {**deed, "row": rows_of(deed)[0]}
        return None

    def reviewers(self) -> dict[str, int]:
        """Who has judged how many rows."""
        judged = self.reviews.log().fold(
            ("reviewers",),
            lambda deeds: {deed.get("by", "") for deed in deeds if judges(deed)} or None,
        )
        return dict(Counter(by for names in judged.values() for by in names).most_common())

    # ---- Rows in order ----

    def stretch(self, ask: Ask, start: int, limit: int) -> Stretch:
        """The next cards from a place of the order on."""
        order = self.order(ask)
        taken: list[tuple[int, str]] = []
        end = start
        wanted = self._wanted(ask)
        for end in range(max(0, start), len(order)):
            if wanted(order[end]):
                taken.append((end, order[end]))
                if len(taken) == limit:
                    break
        return Stretch(list(self.cards(ask, taken)), end + 1, len(taken) < limit)

    def _wanted(self, ask: Ask) -> Any:
        if ask.show == ALL:
            return lambda row_id: True
        if ask.show == CONFLICT:
            return self.conflicts().__contains__
        if ask.show == DOCTOR:
            return self.sent(ask.eye).__contains__
        statuses = self.statuses(ask.eye)
        if ask.show == WRITTEN:
            return lambda row_id: row_id in self.added and statuses.get(row_id, PENDING) == PENDING
        return lambda row_id: statuses.get(row_id, PENDING) == ask.show

    def order(self, ask: Ask) -> tuple[str, ...]:
        """Every row id in the order asked for; rows that an order knows nothing of come last, as in the file."""
        if ask.order == "file":
            return self.ids
        stamp = (ask.stamp, ask.source, ask.eye) if ask.order == "disagreement" else ()
        path = self.dataset.path()
        key = (path, path.stat().st_mtime_ns, *self.added, ask.order, ask.run, stamp)
        return _kept(_orders, key, lambda: self._ranked(self._first(ask)))

    def _first(self, ask: Ask) -> Iterable[str]:
        if ask.order == "shortest":
            return orders.shortest(self.dataset)
        if ask.order in orders.OF_A_RUN:
            return orders.by_run(self.workspace, ask.order, ask.run)
        conflicts = [] if ask.eye.blind else [row_id for row_id in self.ids if row_id in self.conflicts()]
        unlike = suggestions.unlike(self.workspace, ask.source, self.dataset, self.guidelines()) if ask.source else ()
        return [*conflicts, *unlike]

    def _ranked(self, first: Iterable[str]) -> tuple[str, ...]:
        ahead = dict.fromkeys(row_id for row_id in first if row_id in self.places)
        return (*ahead, *(row_id for row_id in self.ids if row_id not in ahead))

    # ---- Cards ----

    def rows(self, row_ids: Iterable[str]) -> dict[str, Row]:
        """The rows of these ids as the version, or who added them, has them."""
        wanted = list(dict.fromkeys(row_ids))
        there = {row_id: row for row_id in wanted if (row := self.added.get(row_id) or self.held.get(row_id))}
        in_version = [row_id for row_id in wanted if row_id not in there]
        return (self.dataset.find(None, in_version) if in_version else {}) | there

    def hold(self, row_ids: Iterable[str]) -> None:
        """Reads these rows at once, for whoever asks for them one after the other."""
        self.held = self.rows(row_ids)

    def card(self, ask: Ask, row_id: str) -> Card:
        """One row's card; NotFound when there is no such row."""
        if row_id not in self.places:
            raise NotFound(
                f"There is no row {row_id[:60]} to review.",
                f"The latest version of “{self.dataset.name}” does not have it.",
                "Go on with another row.",
            )
        return next(self.cards(ask, [(self.order(ask).index(row_id), row_id)]))

    def cards(self, ask: Ask, wanted: list[tuple[int, str]]) -> Iterator[Card]:
        """Cards of the rows in these places of the order."""
        beside = {row_id: self._beside(self.places[row_id]) for _, row_id in wanted}
        rows = self.rows([row_id for trio in beside.values() for row_id in trio if row_id])
        parents = {row_id: list(rows[row_id].extra.get("parents") or []) for row_id in self.added if row_id in rows}
        rows |= self.rows(parent for each in parents.values() for parent in each if parent not in rows)
        found = self.guidelines()
        asked = [rows[row_id] for _, row_id in wanted]
        given = suggestions.suggested(self.workspace, ask.source, asked, found) if ask.source else {}
        for place, row_id in wanted:
            before, _, after = beside[row_id]
            suggestion = given.get(row_id)
            yield replace(
                self._bare(ask.eye, place, rows[row_id]),
                suggestion=suggestion,
                suggested_label=suggestion and suggestions.as_label(suggestion, found.labels),
                before=rows.get(before),
                after=rows.get(after),
                parents=tuple(rows[parent] for parent in parents.get(row_id, []) if parent in rows),
            )

    def _bare(self, eye: Eye, place: int, row: Row) -> Card:
        deeds = self.deeds(row.row_id, eye)
        change = change_of(deeds, self.known)
        last = last_judgement(deeds)
        shown = change
        if last and last["status"] == DRAFT and last.get("content"):
            shown = replace(change, content=last["content"])
        return Card(
            place,
            shown.applied(row),
            shown,
            status_of(deeds),
            int(deeds[-1]["number"]) if deeds else 0,
            last,
            tuple(deed for deed in deeds if judges(deed)),
            reasons(deeds),
        )

    def _beside(self, place: int) -> tuple[str, str, str]:
        """The ids of the row before, the row itself, and the row after it in the file."""
        before = self.ids[place - 1] if place else ""
        return before, self.ids[place], self.ids[place + 1] if place + 1 < len(self.ids) else ""


Frame = tuple[tuple[str, ...], dict[str, int]]
_frames: dict[Any, Frame] = {}
_orders: dict[Any, tuple[str, ...]] = {}
MOST_KEPT = 8
_guard = threading.Lock()
Made = TypeVar("Made")


def _kept(store: dict[Any, Made], key: Any, make: Callable[[], Made]) -> Made:
    with _guard:
        if key in store:
            return store[key]
    made = make()
    with _guard:
        while len(store) >= MOST_KEPT:
            store.pop(next(iter(store)))
        store[key] = made
    return made


def _framed(ids: tuple[str, ...]) -> Frame:
    return ids, {row_id: place for place, row_id in enumerate(ids)}
