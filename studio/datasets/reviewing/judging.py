"""Judgements as they come from a page or a file: checked, written once, never over another's unseen."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from studio.datasets.additions import SYNTHETIC
from studio.datasets.reviewing.changes import change_of, with_texts
from studio.datasets.reviewing.guidelines import FEEDBACK, Name
from studio.datasets.reviewing.judgements import (
    ACCEPTED,
    DECIDED,
    DISCARDED,
    DRAFT,
    Eye,
    last_judgement,
    tags_with,
)
from studio.datasets.reviewing.log import rows_of
from studio.datasets.reviewing.queue import Queue
from studio.datasets.reviewing.reviews import Conflict
from studio.datasets.reviewing.standing import swapped
from studio.datasets.rows import Row
from studio.errors import BadInput, NotFound
from studio.logs import Line
from studio.settings.base import problems

CHOICES = {"chosen": "rejected", "rejected": "chosen", "tie": "tie"}
TRIES = 5


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Of(Strict):
    """A row that is judged: the number of the last review of it that was seen, or the `key` of one's own before it."""

    row: str
    seen: int = 0
    after: str = ""


class Text(Strict):
    """A text of a row as it shall be; `at` is the turn's place, for contents made of turns."""

    of: Literal["messages", "chosen", "rejected", "label", "text"]
    at: int | None = None
    text: str


class Span(Strict):
    """Marked text: characters `start` to `end` (counted in Unicode's code points) of one turn or text."""

    of: Literal["messages", "chosen", "rejected", "text"]
    at: int | None = None
    start: int = Field(ge=0)
    end: int = Field(gt=0)
    label: Name
    text: str = ""


class Said(Strict):
    """What a judgement says, on the page as in a file.

    Args:
        choice: which of two answers is the better one.
        tags: tag → text, None for one that is taken away.
        spans: the words that are marked now; left out, those stay that were.
    """

    status: Literal["pending", "draft", "accepted", "discarded"]
    label: Name | None = None
    choice: Literal["chosen", "rejected", "tie"] | None = None
    ratings: dict[str, int] = Field(default_factory=dict)
    tags: dict[Name, Name | None] = Field(default_factory=dict)
    spans: list[Span] = Field(default_factory=list)
    note: str = Field("", max_length=10_000)

    @field_validator("ratings")
    @classmethod
    def _one_to_five(cls, ratings: dict[str, int]) -> dict[str, int]:
        if any(not 1 <= value <= 5 for value in ratings.values()):
            raise ValueError("a rating is a number from 1 to 5")
        return ratings

    @field_validator("tags")
    @classmethod
    def _by_hand(cls, tags: dict[str, str | None]) -> dict[str, str | None]:
        if SYNTHETIC in tags:
            raise ValueError(f"“{SYNTHETIC}” says that a model wrote the row, and is not for judging")
        return tags


class Judgement(Said):
    """What a reviewer decided on one row, or alike on several.

    Args:
        key: made by who sends it; the same key is taken in once.
        of: the rows; `texts` and `spans` belong to one row only.
        like: the number of a judgement of the row, by whomever, to decide as it does.
        choice: of the two answers as they were shown.
    """

    key: str = Field(min_length=8, max_length=80)
    of: list[Of] = Field(min_length=1)
    like: int | None = None
    texts: list[Text] = Field(default_factory=list)


class Outcome(Strict):
    """What became of a judgement: the number it has now, and the rows for which it was not taken, as they changed."""

    key: str
    number: int = 0
    conflicts: list[str] = Field(default_factory=list)


def read(data: Any) -> Judgement:
    """A judgement out of JSON; BadInput says all that is wrong with it."""
    try:
        return Judgement.model_validate(data)
    except ValidationError as error:
        told = "; ".join(f"{name}: {message}" if name else message for name, message in problems(error))
        raise BadInput(
            "This judgement can't be used.", f"{told}.", "Reload the page and judge the row again."
        ) from None


def judge(queue: Queue, eye: Eye, judgement: Judgement) -> Outcome:
    """Takes a judgement in, for those of its rows that are as its maker saw them.

    Raises:
        BadInput: the row has no such text, label or answer.
        NotFound: a row is not there.
    """
    for _ in range(TRIES):
        if number := known(queue, judgement.key, judgement.of[0].row):
            return Outcome(key=judgement.key, number=number)
        _all_there(queue, judgement)
        free = _free(queue, eye, judgement)
        changed = [of.row for of in judgement.of if of not in free]
        if not free:
            return Outcome(key=judgement.key, conflicts=changed)
        seen = {of.row: queue.reviews.number_of(of.row) for of in free}
        try:
            number = queue.reviews.apply(_deeds(queue, eye, judgement, free), by=eye.by, seen=seen)
        except Conflict:  # somebody was quicker by a moment: look again
            continue
        return Outcome(key=judgement.key, number=number, conflicts=changed)
    return Outcome(key=judgement.key, conflicts=[of.row for of in judgement.of])


def check(queue: Queue, eye: Eye, judgement: Judgement) -> None:
    """Raises what `judge` would, and takes nothing in."""
    if not known(queue, judgement.key, judgement.of[0].row):
        _all_there(queue, judgement)
        _deeds(queue, eye, judgement, _free(queue, eye, judgement))


def take_back(queue: Queue, eye: Eye, key: str, row_id: str) -> str:
    """Takes the judgement with that key back; one that does not stand any more is no error. Returns its row.

    Of a batch with others' judgements, as a file brings them, only the rows of this one are taken back.

    Raises:
        Refused: a version has it already.
    """
    if number := known(queue, key, row_id):
        deeds = queue.reviews.log().standing.get(number, [])
        own = dict.fromkeys(row for deed in deeds if deed.get("key") == key for row in rows_of(deed))
        alone = all(row in own for deed in deeds for row in rows_of(deed))
        for row in [None] if alone else own:
            queue.reviews.undo(row, number=number, by=eye.by)
    return row_id


def known(queue: Queue, key: str, row_id: str) -> int:
    """The number of the standing judgement with that key, 0 for none."""
    deeds = queue.reviews.log().by_row.get(row_id, ())
    return next((int(deed["number"]) for deed in reversed(deeds) if deed.get("key") == key), 0)


def _all_there(queue: Queue, judgement: Judgement) -> None:
    missing = next((of.row for of in judgement.of if of.row not in queue.places), None)
    if missing:
        raise NotFound(f"There is no row {missing[:60]}.", "The latest version does not have it.", "Reload the page.")


def _free(queue: Queue, eye: Eye, judgement: Judgement) -> list[Of]:
    """The rows that are as its maker saw them."""
    return [of for of in judgement.of if _as_seen(queue, eye, of) or _alike(queue, eye, judgement, of)]


def _as_seen(queue: Queue, eye: Eye, of: Of) -> bool:
    deeds = queue.deeds(of.row, eye)
    if not deeds:
        return of.seen == 0
    return int(deeds[-1]["number"]) == of.seen or (bool(of.after) and deeds[-1].get("key") == of.after)


def _alike(queue: Queue, eye: Eye, judgement: Judgement, of: Of) -> bool:
    """Whether somebody decided just the same meanwhile, as when two reviewers come by a row together."""
    deeds = queue.deeds(of.row, eye)
    last = deeds[-1] if deeds else {}
    if last.get("type") != "judge" or last["status"] != judgement.status or judgement.status not in DECIDED:
        return False
    plain = not (judgement.texts or judgement.spans or judgement.label or judgement.choice or judgement.tags)
    return judgement.status == DISCARDED or (plain and last.get("content", ...) is ... and not last.get("spans"))


def _deeds(queue: Queue, eye: Eye, judgement: Judgement, of: list[Of]) -> list[Line]:
    if len(judgement.of) > 1 and (judgement.texts or judgement.spans):
        raise BadInput("Texts and spans belong to one row.", "This judges several.", "Judge the row by itself.")
    rows = queue.rows(one.row for one in of if _needs_row(queue, eye, judgement, one.row))
    deeds: list[Line] = []
    for one in of:
        shared = {"row": one.row, "key": judgement.key}
        row = rows.get(one.row)
        made, tags = _judge(queue, eye, judgement, one.row, row), _tags(judgement, row)
        if judgement.like is not None and row is not None:
            followed, given = _followed(queue, eye, judgement.like, row)
            made, tags = made | followed, given | tags
        deeds.append(made | shared)
        if tags and judgement.status != DRAFT:
            deeds.append({"type": "tag", "tags": tags} | shared)
    return deeds


def _needs_row(queue: Queue, eye: Eye, judgement: Judgement, row_id: str) -> bool:
    """Whether it changes what the row says, or takes up the edits of a draft."""
    last = last_judgement(queue.deeds(row_id, eye)) or {}
    drafted = last.get("status") == DRAFT and last.get("content")
    return bool(
        judgement.like or drafted or judgement.texts or _says_spans(judgement) or judgement.label or judgement.choice
    )


def _says_spans(judgement: Judgement) -> bool:
    """Whether it says which words are marked; an empty list takes off those there were."""
    return "spans" in judgement.model_fields_set


def _judge(queue: Queue, eye: Eye, judgement: Judgement, row_id: str, row: Row | None) -> Line:
    seen = queue.deeds(row_id, eye)
    made: Line = {"type": "judge", "status": judgement.status, "seen": int(seen[-1]["number"]) if seen else 0}
    if eye.blind:
        made["blind"] = True
    for name in ("label", "ratings", "note"):
        if value := getattr(judgement, name):
            made[name] = value
    if judgement.status == DRAFT and judgement.tags:
        made["tags"] = judgement.tags
    if row is not None and judgement.like is None:
        made |= _content(queue, eye, judgement, row)
    return made


def _followed(queue: Queue, eye: Eye, number: int, row: Row) -> tuple[Line, dict[str, str | None]]:
    """What the judgement of that number left the row with, what stood for its maker included; and its tags."""
    seen = queue.deeds(row.row_id, eye)
    found = next((deed for deed in seen if deed["number"] == number and deed["type"] == "judge"), None)
    if found is None:
        raise BadInput("That judgement is gone.", "Who made it has taken it back.", "Reload the page and decide again.")
    _, (whole,) = next(queue.standing.told({row.row_id: [found]}, {row.row_id: seen}))
    content: dict[str, Any] = whole.get("content") or {}
    made = {name: whole[name] for name in ("label", "choice", "spans", "ratings") if name in whole}
    same = all(getattr(row, name) == value for name, value in content.items())
    tags = tags_with(found, seen)
    now = change_of(seen, queue.known).applied(row).tags.get("label")
    if found["status"] == ACCEPTED and row.label is None and whole.get("label") != now:
        tags["label"] = whole.get("label")
    return made | {"content": None if same else content}, tags


def _content(queue: Queue, eye: Eye, judgement: Judgement, row: Row) -> Line:
    """`content`, `choice` and `spans`, told from the row as it was shown."""
    deeds = queue.deeds(row.row_id, eye)
    last = last_judgement(deeds) or {}
    shown = change_of(deeds, queue.known).applied(row)
    if last.get("status") == DRAFT and last.get("content"):
        shown = replace(shown, **last["content"])
    content = with_texts(shown, [text.model_dump() for text in judgement.texts])
    made: Line = {}
    if judgement.label is not None and "label" in content:
        content["label"] = _label(row, judgement.label)
    if judgement.choice:
        made["choice"] = CHOICES[judgement.choice] if swapped(deeds) else judgement.choice
        if row.kind != "preference":
            raise BadInput("This row has no two answers.", "So neither can be the better one.", "Reload the page.")
        if judgement.choice == "rejected":
            content["chosen"], content["rejected"] = content["rejected"], content["chosen"]
    if _says_spans(judgement):
        made["spans"] = [_span(content, span) for span in judgement.spans]
    same = all(getattr(row, name) == value for name, value in content.items())
    return made | {"content": None if same else content}


def _label(row: Row, label: str) -> str:
    if row.kind == "feedback" and label not in FEEDBACK:
        raise BadInput("A judgement is “true” or “false”.", f"“{label[:40]}” is neither.", "Choose one of the two.")
    return unicodedata.normalize("NFC", label)


def _span(content: dict[str, Any], span: Span) -> Line:
    """A span with the very words it marks."""
    held = content.get(span.of)
    text = held if isinstance(held, str) else None
    if isinstance(held, list) and span.at is not None and 0 <= span.at < len(held):
        text = str(held[span.at].get("content") or "")
    if text is None or not span.start < span.end <= len(text):
        raise BadInput("A marked span lies outside its text.", "The text was changed since.", "Mark it again.")
    return span.model_dump() | {"text": text[span.start : span.end]}


def _tags(judgement: Judgement, row: Row | None) -> dict[str, str | None]:
    """The tags a judgement gives; the label of a row that learns none is one of them."""
    tags: dict[str, str | None] = dict(judgement.tags)
    if judgement.label is not None and row is not None and row.label is None:
        tags["label"] = judgement.label
    return tags
