"""Rows of the queue as a sheet: a line of JSON for each, judged away from the page and taken in as the page's are.

A line has what the row says (`row`), what is suggested for it, and room for a judgement:

    {"row_id": …, "seen": 3, "key": …, "by": "Ann", "blind": false, "status": null, "as_suggested": false,
     "label": null, "choice": null, "ratings": {}, "tags": {}, "spans": [], "texts": [], "note": "",
     "row": {"messages": […]}, "suggestion": "billing"}

`status` is to become accepted, discarded, draft or pending; a line without one is passed over. `ratings` go from 1 to
5, "" naming the whole. `texts` are `{"of": "messages", "at": 1, "text": …}`; with `as_suggested` what is suggested is
taken.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from studio.datasets.reviewing import judging, live, suggestions
from studio.datasets.reviewing.changes import CONTENTS
from studio.datasets.reviewing.guidelines import FEEDBACK
from studio.datasets.reviewing.judgements import ACCEPTED, Eye
from studio.datasets.reviewing.judging import Judgement, Of, Said, Text
from studio.datasets.reviewing.queue import Ask, Card, Queue
from studio.datasets.rows import Row
from studio.datasets.spans import spans_of
from studio.errors import BadInput, NotFound, StudioError
from studio.settings.base import problems

ROOM: dict[str, Any] = {"status": None, "as_suggested": False, "label": None, "choice": None, "ratings": {}, "tags": {}}
Line = dict[str, Any]


class Judged(Said):
    """A line with a status. What else stands in it is passed over."""

    model_config = ConfigDict(extra="ignore")

    row_id: str = Field(min_length=1)
    seen: int = 0
    key: str = Field(min_length=8, max_length=80)
    by: str = ""
    blind: bool = False
    texts: list[Text] = Field(default_factory=list)
    as_suggested: bool = False
    suggestion: str | None = None


def sheet(queue: Queue, ask: Ask, limit: int) -> list[Line]:
    """The next rows of an order, as lines."""
    cards = queue.stretch(ask, 0, limit).cards
    answers = live.answers(queue.workspace, ask.source, [card.row for card in cards])
    labels = queue.guidelines().labels
    return [_line(ask.eye, card, answers.get(card.row.row_id, card.suggestion), labels) for card in cards]


def _line(eye: Eye, card: Card, suggestion: str | None, labels: list[str]) -> Line:
    row = card.row
    said = {name: value for name in CONTENTS if (value := getattr(row, name)) is not None}
    about = {"row_id": row.row_id, "seen": card.seen, "key": uuid.uuid4().hex, "by": eye.by, "blind": eye.blind}
    known = (suggestion and suggestions.as_label(suggestion, labels)) or suggestion
    now = {
        "spans": spans_of(row),
        "texts": [],
        "note": "",
        "row": said,
        "stands": card.status,
        "reasons": list(card.reasons),
    }
    return about | ROOM | now | {"suggestion": known}


def read(path: Path) -> list[Line]:
    """The lines of a sheet's file.

    Raises:
        BadInput: it is none.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return [json.loads(text) for text in file if text.strip()]
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadInput(f"{path.name} is no sheet.", f"{error}.", "Use one that `review NAME --next` wrote.") from None


def take_in(queue: Queue, lines: Iterable[Line]) -> dict[str, Any]:
    """Takes the judgements of a sheet in, each for the row as its maker saw it; nothing where a line can't be used or
    its row is gone.

    Returns:
        How many rows were `judged`, how many lines are `open`, and the rows that somebody changed since (`conflicts`).

    Raises:
        BadInput: a line can't be used, or its row has no such text, label or answer.
        NotFound: a row is not there.
    """
    given = list(lines)
    judged = list(_judged(given))
    queue.hold(line.row_id for _, line in judged if line.row_id in queue.places)
    made = [_judgement(queue, number, line) for number, line in judged]
    conflicts: list[str] = []
    for eye, judgement in made:
        conflicts += judging.judge(queue, eye, judgement).conflicts
    return {"judged": len(made) - len(conflicts), "open": len(given) - len(made), "conflicts": conflicts}


def accept(queue: Queue, lines: list[Line]) -> dict[str, Any]:
    """Accepts the rows of a sheet as suggested, and leaves open what has no suggestion that fits; see `take_in`."""
    rows, labels = queue.rows(line["row_id"] for line in lines), queue.guidelines().labels

    def fits(line: Line) -> bool:
        return bool(line["suggestion"] and _taken(rows[line["row_id"]], line["suggestion"], labels))

    accepted = {"status": ACCEPTED, "as_suggested": True}
    return take_in(queue, [line | accepted if fits(line) else line for line in lines])


def _judged(lines: list[Line]) -> Iterator[tuple[int, Judged]]:
    for number, line in enumerate(lines, 1):
        if not isinstance(line, dict):
            raise _unusable(number, "It is no object")
        if line.get("status") is None:
            continue
        try:
            given = {name: value for name, value in line.items() if value is not None}
            yield number, Judged.model_validate(given)
        except ValidationError as error:
            raise _unusable(number, "; ".join(f"{name}: {words}" for name, words in problems(error))) from None


def _judgement(queue: Queue, number: int, line: Judged) -> tuple[Eye, Judgement]:
    if line.row_id not in queue.places:
        raise NotFound(f"There is no row {line.row_id[:60]}.", "The latest version lacks it.", "Write a new sheet.")
    said = line.model_dump(include=set(Said.model_fields) & line.model_fields_set)
    if line.as_suggested:
        if not line.suggestion:
            raise _unusable(number, "Nothing is suggested for its row")
        taken = _taken(queue.rows([line.row_id])[line.row_id], line.suggestion, queue.guidelines().labels)
        if not taken:
            raise _unusable(number, f"“{line.suggestion[:60]}” is no label that its row can have")
        said |= taken
    texts = [*(text.model_dump() for text in line.texts), *said.pop("texts", [])]
    of = [Of(row=line.row_id, seen=line.seen)]
    try:
        eye = Eye.of(line.by, line.blind)
        judgement = Judgement(key=line.key, of=of, texts=texts, **said)
        judging.check(queue, eye, judgement)
    except ValidationError as error:
        raise _unusable(number, "; ".join(f"{name}: {words}" for name, words in problems(error))) from None
    except BadInput as error:
        raise _unusable(number, f"{error.what} {error.why}".removesuffix(".")) from None
    return eye, judgement


def _taken(row: Row, suggestion: str, labels: list[str]) -> Line:
    """A suggestion as what is judged, {} where the row has no place for it: a label, where it is one of the label set;
    else the row's answer. A label is never written in an answer's place, nor a model's free words as a label."""
    if label := suggestions.as_label(suggestion, list(FEEDBACK) if row.kind == "feedback" else labels):
        return {"label": label}
    of = {"chat": "messages", "preference": "chosen"}.get(row.kind)
    turns = getattr(row, of) or [] if of else []
    at = next((at for at in reversed(range(len(turns))) if turns[at]["role"] == "assistant"), None)
    return {} if at is None else {"texts": [{"of": of, "at": at, "text": suggestion}]}


def _unusable(number: int, why: str) -> StudioError:
    return BadInput(f"Line {number} of the sheet can't be used.", f"{why}.", "Correct it; nothing was taken in.")
