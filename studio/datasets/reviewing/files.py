"""Judgements as a file: everything reviewers said, one line each, to be kept, looked at, or taken in elsewhere.

    {"row_id": …, "by": …, "status": …, "label": …, "ratings": {…}, "tags": {…}, "spans": […], "note": …,
     "content": {…}}

`spans` name characters of the texts in `content`, or of the row's own where there is none, with the words they mark.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.datasets.reviewing.guidelines import FEEDBACK
from studio.datasets.reviewing.judgements import ACCEPTED, DRAFT, PENDING, Eye, tags_with
from studio.datasets.reviewing.judging import Said
from studio.datasets.reviewing.queue import Queue
from studio.datasets.reviewing.suggestions import answer_of
from studio.datasets.rows import Row, compact
from studio.errors import BadInput
from studio.files import whole_file
from studio.settings.base import problems

KEPT = ("status", "label", "choice", "ratings", "tags", "spans", "note", "content", "seen", "blind", "key")
TOGETHER = 5000  # judgements that are taken in as one batch
FIELDS = ("split", "label", "kind")
CONTENTS = {
    "chat": {"messages"},
    "text": {"text"},
    "label": {"messages", "label"},
    "feedback": {"messages", "label"},
    "preference": {"messages", "chosen", "rejected"},
}


class Turn(BaseModel):
    """A turn of a content; calls of tools and the like stay with it."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class Content(BaseModel):
    """All that a row shall say, after its kind."""

    model_config = ConfigDict(extra="forbid")

    messages: list[Turn] | None = None
    chosen: list[Turn] | None = None
    rejected: list[Turn] | None = None
    label: str | None = None
    text: str | None = None


class Kept(Said):
    """A line of the file; what else stands in it, such as the time, is passed over."""

    model_config = ConfigDict(extra="ignore")

    row_id: str = Field(min_length=1)
    by: str = ""
    content: Content | None = None
    blind: bool = False
    key: str = Field("", max_length=80)


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
        deeds = by_row.get(row_id, ())
        for deed in deeds:
            if deed["type"] == "judge":
                told = {"row_id": row_id, "by": deed.get("by", ""), "time": deed["time"]}
                yield (
                    told
                    | {name: deed[name] for name in KEPT if name in deed}
                    | ({"tags": tags} if (tags := tags_with(deed, deeds)) else {})
                )


def take_in(queue: Queue, path: Path) -> dict[str, int]:
    """Takes the judgements of a file in, those that stand here already (by their key) left out.

    Returns:
        How many were `taken`, are here already (`known`), or are of rows that the dataset does not have (`strange`).

    Raises:
        BadInput: a line is no judgement, or not one of such a row; nothing is taken in then.
    """
    read = {number: _read(number, text) for number, text in _texts(path)}
    _check_contents(queue, read)
    by_row = queue.reviews.log().by_row
    here = [line for line in read.values() if line["row_id"] in queue.places]
    fresh = [
        line
        for line in here
        if not line.get("key") or all(deed.get("key") != line["key"] for deed in by_row.get(line["row_id"], ()))
    ]
    for by in dict.fromkeys(line.get("by", "") for line in fresh):
        for batch in _batches(line for line in fresh if line.get("by", "") == by):
            deeds = [deed for line in batch for deed in _deeds(line)]
            queue.reviews.apply(deeds, by=by, why=f"taken in from {path.name}")
    return {"taken": len(fresh), "known": len(here) - len(fresh), "strange": len(read) - len(here)}


def _batches(lines: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Judgements that are taken in at once: never two of one row, so that each can be taken back by itself."""
    rounds: list[list[dict[str, Any]]] = []
    times: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        if times[line["row_id"]] == len(rounds):
            rounds.append([])
        rounds[times[line["row_id"]]].append(line)
        times[line["row_id"]] += 1
    for each in rounds:
        yield from (each[start : start + TOGETHER] for start in range(0, len(each), TOGETHER))


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with open(path, encoding="utf-8") as file:
            yield from ((number, text) for number, text in enumerate(file, 1) if text.strip())
    except UnicodeDecodeError:
        raise BadInput(f"{path.name} can't be read.", "It is not UTF-8 text.", "Export it again.") from None


def _read(number: int, text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
        kept = Kept.model_validate(data)
        spans = [span.model_dump() for span in kept.spans]
        return kept.model_dump(exclude_unset=True) | ({"spans": spans} if spans else {})
    except ValidationError as error:
        wrong = "; ".join(f"{name}: {message}" if name else message for name, message in problems(error))
    except (ValueError, RecursionError):
        wrong = "it is not JSON"
    raise _no_judgement(number, f"{wrong}.")


def _check_contents(queue: Queue, read: dict[int, dict[str, Any]]) -> None:
    """Contents and choices must be such as rows of their kind have."""
    meant = {number: line for number, line in read.items() if line.get("content") or line.get("choice")}
    rows = queue.rows(line["row_id"] for line in meant.values() if line["row_id"] in queue.places)
    for number, line in meant.items():
        row = rows.get(line["row_id"])
        if row is None:
            continue
        content = line.get("content") or {}
        if content and {name for name, value in content.items() if value is not None} != CONTENTS[row.kind]:
            raise _no_judgement(
                number, f"Row {row.row_id[:60]} needs the contents {', '.join(sorted(CONTENTS[row.kind]))}."
            )
        if row.kind == "feedback" and content and content["label"] not in FEEDBACK:
            raise _no_judgement(number, "A judged answer is “true” or “false”.")
        if line.get("choice") and row.kind != "preference":
            raise _no_judgement(number, f"Row {row.row_id[:60]} has no two answers to choose from.")


def _no_judgement(number: int, why: str) -> BadInput:
    return BadInput(
        f"Line {number} is no judgement.",
        why,
        "Use a file that `review NAME --export FILE` wrote; nothing was taken in.",
    )


def _deeds(line: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A line as the reviews have it, its tags beside it once it is no draft."""
    shared = {"row": line["row_id"]} | ({"key": line["key"]} if line.get("key") else {})
    said = {name: line[name] for name in KEPT if name in line}
    tags = {} if line["status"] == DRAFT else said.pop("tags", {})
    # Numbers of reviews that were seen elsewhere say nothing here, so it counts as made without knowing the others.
    yield {"type": "judge", "seen": 0} | said | shared
    if tags:
        yield {"type": "tag", "tags": tags} | shared


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
