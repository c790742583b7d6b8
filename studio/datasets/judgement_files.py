"""Judgements as a file: everything reviewers said, one line each, to be kept, looked at, or taken in elsewhere.

    {"row_id": …, "by": …, "status": …, "label": …, "ratings": {…}, "spans": […], "note": …, "content": {…}}

`spans` name characters of the texts in `content`, or of the row's own where there is none, with the words they mark.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.datasets.judgements import ACCEPTED, PENDING, STATES, Eye
from studio.datasets.queue import Queue, answer_of
from studio.datasets.reviews import CONTENTS
from studio.datasets.rows import Row, compact
from studio.errors import BadInput
from studio.files import whole_file

KEPT = ("status", "label", "choice", "ratings", "tags", "spans", "note", "content", "seen", "blind", "key")
TOGETHER = 5000  # judgements that are taken in as one batch
FIELDS = ("split", "label", "kind")


def write(queue: Queue, path: Path) -> int:
    """Writes every standing judgement of rows that are there; returns how many."""
    count = 0
    with whole_file(path) as partial, open(partial, "w", encoding="utf-8") as file:
        for line in lines(queue):
            file.write(compact(line) + "\n")
            count += 1
    return count


def lines(queue: Queue) -> Iterator[dict[str, Any]]:
    """The judgements in the order of the rows, and of each row in the order in which they were made."""
    by_row = queue.reviews.log().by_row
    for row_id in queue.ids:
        for deed in by_row.get(row_id, []):
            if deed["type"] == "judge":
                told = {"row_id": row_id, "by": deed.get("by", ""), "time": deed["time"]}
                yield told | {name: deed[name] for name in KEPT if name in deed}


def take_in(queue: Queue, path: Path) -> dict[str, int]:
    """Takes the judgements of a file in, those that stand here already (by their key) left out.

    Returns:
        How many were `taken`, are here already (`known`), or are of rows that the dataset does not have (`strange`).

    Raises:
        BadInput: a line is no judgement; nothing is taken in then.
    """
    read = [_read(number, text) for number, text in _texts(path)]
    by_row = queue.reviews.log().by_row
    strange = [line for line in read if line["row_id"] not in queue.places]
    here = [line for line in read if line["row_id"] in queue.places]
    fresh = [
        line
        for line in here
        if not line.get("key") or all(deed.get("key") != line["key"] for deed in by_row.get(line["row_id"], []))
    ]
    for by in dict.fromkeys(line.get("by", "") for line in fresh):
        deeds = [_deed(line) for line in fresh if line.get("by", "") == by]
        for start in range(0, len(deeds), TOGETHER):
            queue.reviews.apply(deeds[start : start + TOGETHER], by=by, why=f"taken in from {path.name}")
    return {"taken": len(fresh), "known": len(here) - len(fresh), "strange": len(strange)}


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with open(path, encoding="utf-8") as file:
            yield from ((number, text) for number, text in enumerate(file, 1) if text.strip())
    except UnicodeDecodeError:
        raise BadInput(f"{path.name} can't be read.", "It is not UTF-8 text.", "Export it again.") from None


def _read(number: int, text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        line = None
    right = isinstance(line, dict) and isinstance(line.get("row_id"), str) and line.get("status") in STATES
    content = line.get("content") if right else None
    right = right and (content is None or (isinstance(content, dict) and set(content) <= set(CONTENTS)))
    if not right:
        raise BadInput(
            f"Line {number} is no judgement.",
            "Each line is an object with “row_id” and “status”.",
            "Use a file that `review NAME --export FILE` wrote; nothing was taken in.",
        )
    found: dict[str, Any] = line
    return found


def _deed(line: dict[str, Any]) -> dict[str, Any]:
    # Numbers of reviews that were seen elsewhere say nothing here, so it counts as made without knowing the others.
    return {"type": "judge", "row": line["row_id"]} | {name: line[name] for name in KEPT if name in line} | {"seen": 0}


def matching(queue: Queue, eye: Eye, wanted: str) -> list[str]:
    """The pending rows that a filter names.

    Args:
        wanted: `all`; `find=WORDS` for rows that say so; `split=`, `label=` or `kind=` with a value; or `TAG=VALUE`.

    Raises:
        BadInput: it is no filter.
    """
    name, equals, value = wanted.partition("=")
    if wanted != "all" and not (name and equals and value):
        raise BadInput(
            f"“{wanted}” is no filter.",
            "A filter is all, or NAME=VALUE with split, label, kind, find or the name of a tag.",
            "Give for example --accept-all label=billing.",
            field="accept-all",
        )
    statuses = queue.statuses(eye)
    pending = (row for row in _rows(queue) if statuses.get(row.row_id, PENDING) == PENDING)
    return [row.row_id for row in pending if wanted == "all" or _matches(row, name, value)]


def _rows(queue: Queue) -> Iterator[Row]:
    yield from queue.dataset.rows()
    yield from queue.added.values()


def _matches(row: Row, name: str, value: str) -> bool:
    if name == "find":
        said = [str(turn.get("content") or "") for turn in row.messages or []]
        return value.casefold() in "\n".join([*said, answer_of(row), row.text or "", row.label or ""]).casefold()
    return str(getattr(row, name) if name in FIELDS else row.tags.get(name)) == value


def accept(queue: Queue, eye: Eye, rows: list[str], why: str) -> int:
    """Accepts rows as one batch, which one undo takes back; returns its number."""
    deeds = [{"type": "judge", "status": ACCEPTED, "row": row, "seen": queue.reviews.number_of(row)} for row in rows]
    return queue.reviews.apply(deeds, by=eye.by, why=why)
