"""What people did to rows: edited, excluded, and taken back; kept apart from the versions until one is frozen.

reviews.jsonl, one line each, numbered from 1:

    edit      the row's contents as they shall be
    exclude   the row is left out of the next version
    include   it is not
    undo      the review `of` that number counts no more

A version made from reviews says in dataset.json up to which number it has them (`reviews`); an imported one has none,
so what was done to a row carries over to a file that is imported again. Versions themselves never change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from filelock import FileLock

from studio import logs
from studio.datasets.rows import Row
from studio.datasets.store import Dataset
from studio.errors import BadInput, Refused
from studio.logs import Line, Log

REVIEWS = "reviews.jsonl"
CONTENTS = ("messages", "chosen", "rejected", "label", "text")
PATIENCE = 10.0
MOST_CHARACTERS = 4 << 20


@dataclass(frozen=True)
class Change:
    """What is to become of one row: other contents, or nothing at all. `number` is that of its last review."""

    row_id: str
    number: int
    content: dict[str, Any] | None = None
    excluded: bool = False

    def applied(self, row: Row) -> Row:
        """The row with its new contents."""
        return replace(row, **self.content) if self.content else row


class Reviews:
    """The reviews of one dataset; they are made on its latest version."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.path = dataset.folder / REVIEWS

    def pending(self) -> dict[str, Change]:
        """The changes that the latest version does not have yet, by row id; of rows that it has."""
        changes, _ = self._folded()
        return changes

    def last(self) -> int:
        """The number of the last review there is."""
        return int((logs.last(self.path) or {}).get("number", 0))

    def edit(self, row_id: str, texts: list[dict[str, Any]]) -> Change | None:
        """Gives a row other texts.

        Args:
            texts: each `{"of": "messages" | "chosen" | "rejected" | "label" | "text", "at": turn, "text": words}`.

        Returns:
            The row's pending change, None when it is again as it was.

        Raises:
            BadInput: a text that may not be empty is, or the row has no such place.
        """
        with self._lock():
            row = self._row(row_id)
            before = self.pending().get(row_id)
            content = _edited(before.applied(row) if before else row, texts)
            same = all(getattr(row, name) == value for name, value in content.items())
            self._append("edit", row=row_id, content=None if same else content)
            return self.pending().get(row_id)

    def exclude(self, row_id: str) -> Change | None:
        """Leaves a row out of the next version."""
        return self._mark("exclude", row_id)

    def include(self, row_id: str) -> Change | None:
        """Takes a row that was excluded in again."""
        return self._mark("include", row_id)

    def undo(self, row_id: str | None = None) -> Line:
        """Takes back the last review (of one row) that is in no version yet, and returns it.

        Raises:
            Refused: there is none.
        """
        with self._lock():
            _, standing = self._folded()
            wanted = [line for line in standing if row_id is None or line["row"] == row_id]
            if not wanted:
                raise Refused(
                    "There is nothing to undo.",
                    "Every change is in a version already, or was taken back.",
                    "Edit the row again to change it.",
                )
            self._append("undo", row=wanted[-1]["row"], of=wanted[-1]["number"])
            return wanted[-1]

    def _mark(self, kind: str, row_id: str) -> Change | None:
        with self._lock():
            self._row(row_id)
            self._append(kind, row=row_id)
            return self.pending().get(row_id)

    def _row(self, row_id: str) -> Row:
        return self.dataset.row(self.dataset.latest, row_id)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time, whichever page or command it is."""
        folder = self.dataset.folder
        with FileLock(folder.parent / f".{folder.name}.reviews.lock", timeout=PATIENCE, is_singleton=False):
            yield

    def _append(self, kind: str, **fields: Any) -> None:
        number = self.last() + 1
        with Log(self.path) as log:
            log.append(kind, number=number, version=self.dataset.latest, **fields)

    def _folded(self) -> tuple[dict[str, Change], list[Line]]:
        """The pending changes, and the reviews that stand and can be undone."""
        lines, _ = logs.read(self.path)
        known = int(self.dataset.version_info().get("reviews", 0))
        since = [line for line in lines if line.get("row") and int(line.get("number", 0)) > known]
        undone = {line.get("of") for line in since if line["type"] == "undo"}
        standing = [line for line in since if line["type"] != "undo" and line["number"] not in undone]
        changes: dict[str, Change] = {}
        for line in standing:
            change = replace(changes.get(line["row"], Change(line["row"], 0)), number=line["number"])
            if line["type"] == "edit":
                change = replace(change, content=line["content"])
            else:
                change = replace(change, excluded=line["type"] == "exclude")
            changes[line["row"]] = change
        changes = {row: change for row, change in changes.items() if change.content or change.excluded}
        there = self.dataset.find(None, list(changes)) if changes else {}
        return {row: change for row, change in changes.items() if row in there}, standing


def _edited(row: Row, texts: list[dict[str, Any]]) -> dict[str, Any]:
    """The contents of a row with some texts replaced."""
    content: dict[str, Any] = {name: value for name in CONTENTS if (value := getattr(row, name)) is not None}
    for item in texts:
        name, at, text = item.get("of"), item.get("at"), str(item.get("text", ""))
        if name not in content:
            raise _no_place(row, name)
        if len(text) > MOST_CHARACTERS:
            raise BadInput("This text is too long.", f"It has {len(text):,} characters.", "Part it into several rows.")
        if isinstance(content[name], str):
            content[name] = _checked(row, str(name), text)
            continue
        if not isinstance(at, int) or not 0 <= at < len(content[name]):
            raise _no_place(row, name)
        turn = dict(content[name][at])
        if not text.strip() and turn["content"].strip():
            raise _empty(f"turn {at + 1}")
        turn["content"] = text
        content[name] = [*content[name][:at], turn, *content[name][at + 1 :]]
    return content


def _checked(row: Row, name: str, text: str) -> str:
    if not text.strip():
        raise _empty(name)
    if name == "label" and row.kind == "feedback" and text not in ("true", "false"):
        raise BadInput("A judgement is “true” or “false”.", f"“{text[:40]}” is neither.", "Write one of the two.")
    return text.strip() if name == "label" else text


def _empty(what: str) -> BadInput:
    return BadInput(f"The {what} can't be empty.", "There would be nothing to learn from.", "Exclude the row instead.")


def _no_place(row: Row, name: object) -> BadInput:
    return BadInput(f"Row {row.row_id} has no such text.", f"It has no “{name}” there.", "Reload the page.")
