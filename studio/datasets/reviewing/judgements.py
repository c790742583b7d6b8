"""Judgements of the review queue: what stands on a row, for whom, who made it by themselves, and where people differ.

A judgement is a `judge` deed of reviews.jsonl. Besides its `status` it may have `label`, `choice` (of two answers:
chosen, rejected or tie), `ratings` (name → 1 to 5, "" for the whole), `spans`, `note` and `content`, and always

    seen    the number of the last review of the row that its maker saw
    blind   true when they did not see what others judged
    key     an id of its own, so that one that is sent twice counts once

One with a `reason` is nobody's judgement: the doctor sent the row to the queue, or its words changed in the source
since it was accepted; everybody sees why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from studio.datasets.additions import SYNTHETIC
from studio.datasets.reviewing.log import Deed
from studio.names import fitting

PENDING, DRAFT, ACCEPTED, DISCARDED = "pending", "draft", "accepted", "discarded"
STATES = (PENDING, DRAFT, ACCEPTED, DISCARDED)
DECIDED = (ACCEPTED, DISCARDED)
LONGEST_NAME = 80  # characters of a reviewer's name
SOURCE_CHANGED = "changed in the source since"  # a reason
WHOLE = ""  # the name of the rating of the whole row


@dataclass(frozen=True)
class Eye:
    """Who looks, and whether without seeing what others judged."""

    by: str = ""
    blind: bool = False

    @classmethod
    def of(cls, name: str, blind: bool = False) -> Eye:
        """The eye of whoever calls themselves so; BadInput when the name is too long."""
        return cls(fitting(" ".join(name.split()), LONGEST_NAME, "The name of the reviewer", "by"), blind)

    @property
    def key(self) -> str:
        """Under which what they see is kept: everybody who is not blind sees the same."""
        return f"blind:{self.by}" if self.blind else "all"

    def seen(self, deeds: Sequence[Deed]) -> Sequence[Deed]:
        """Those of these deeds that they see. What was written with another's judgement, such as its tags, is part of
        it and has its number: a blind eye sees neither."""
        if not self.blind:
            return deeds
        hidden = {deed["number"] for deed in deeds if judges(deed) and deed.get("by", "") != self.by}
        return [deed for deed in deeds if deed["number"] not in hidden]


def judges(deed: Deed) -> bool:
    """Whether a deed is somebody's judgement."""
    return deed["type"] == "judge" and "reason" not in deed


def reasons(deeds: Iterable[Deed]) -> tuple[str, ...]:
    """Why the doctor or an import sent a row to the queue, where nobody has judged it since."""
    found: dict[str, None] = {}
    for deed in deeds:
        if judges(deed):
            found = {}
        elif deed["type"] == "judge":
            found[deed["reason"]] = None
    return tuple(found)


def status_of(deeds: Iterable[Deed]) -> str:
    """What stands on a row: its last judgement, or that it was left out elsewhere."""
    status = PENDING
    for deed in deeds:
        if deed["type"] == "judge":
            status = deed["status"]
        elif deed["type"] == "exclude":
            status = DISCARDED
        elif deed["type"] == "include" and status == DISCARDED:
            status = PENDING
    return status


def last_judgement(deeds: Iterable[Deed]) -> Deed | None:
    found = None
    for deed in deeds:
        if deed["type"] == "judge":
            found = deed
    return found


def tags_with(judgement: Deed, deeds: Iterable[Deed]) -> dict[str, str | None]:
    """The tags that were given with a judgement: they have its number and its key."""
    key = judgement.get("key")
    tags: dict[str, str | None] = {}
    for deed in deeds:
        if deed["type"] == "tag" and key and (deed["number"], deed.get("key")) == (judgement["number"], key):
            tags |= {name: text for name, text in deed["tags"].items() if name != SYNTHETIC}
    return tags


def judgements(deeds: Iterable[Deed]) -> list[Deed]:
    """Those that decide; drafts and rows put back do not."""
    return [deed for deed in deeds if deed["type"] == "judge" and deed["status"] in DECIDED]


def knew(deed: Deed, other: Deed) -> bool:
    """Whether who judged had seen another's judgement."""
    return not deed.get("blind") and other["number"] <= int(deed.get("seen", 0))


def independent(deeds: Iterable[Deed]) -> dict[str, Deed]:
    """By reviewer the last judgement made without knowing what anybody else had judged: what agreement is told from."""
    found: dict[str, Deed] = {}
    before: list[Deed] = []
    for deed in judgements(deeds):
        by = deed.get("by", "")
        if not any(knew(deed, other) for other in before if other.get("by", "") != by):
            found[by] = deed
        before.append(deed)
    return found


def in_conflict(deeds: Iterable[Deed]) -> list[Deed]:
    """The last judgement of each reviewer, when they differ and nobody who knew them all has decided since; else []."""
    open_ones: dict[str, Deed] = {}
    for deed in judgements(deeds):
        by = deed.get("by", "")
        if all(knew(deed, other) for name, other in open_ones.items() if name != by):
            open_ones = {}
        open_ones[by] = deed
    found = list(open_ones.values())
    return found if any(differ(found[0], other) for other in found[1:]) else []


DECISIONS: dict[str, Callable[[Deed], Any]] = {
    "status": lambda deed: deed["status"],
    "label": lambda deed: deed.get("label"),
    "choice": lambda deed: deed.get("choice"),
    "spans": lambda deed: sorted((span_key(span) for span in deed.get("spans") or []), key=str),
    "content": lambda deed: deed.get("content"),
}


def differ(one: Deed, other: Deed) -> bool:
    """Whether two judgements would make something else of the row; ratings and notes may differ."""
    if one["status"] == other["status"] == DISCARDED:
        return False
    # A version may have the answers the other way round, so that a choice in it is told by the contents only.
    apart = {"choice"} if one.get("version") != other.get("version") else set()
    return any(of(one) != of(other) for name, of in DECISIONS.items() if name not in apart)


def span_key(span: dict[str, Any]) -> tuple[Any, ...]:
    return (span["of"], span["at"], span["start"], span["end"], span["label"])
