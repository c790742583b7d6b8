"""What is to become of a row: other contents, another side, tags, marked words, or that it is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from studio.datasets.rows import Row
from studio.datasets.spans import Span, marked
from studio.errors import BadInput

CONTENTS = ("messages", "chosen", "rejected", "label", "text")
MOST_CHARACTERS = 4 << 20
NONE: Mapping[str, str | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of a row, or of each of many to which the same was done.

    Args:
        number: that of the last review.
        content: other contents, by their names in CONTENTS.
        excluded: the row is left out.
        split: the side it moves to.
        tags: tags it gets, None for one that is taken away.
        spans: the words that are marked in it (spans.py), None where that stays as it is.
    """

    number: int = 0
    content: dict[str, Any] | None = None
    excluded: bool = False
    split: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=lambda: NONE)
    spans: list[Span] | None = None

    def __bool__(self) -> bool:
        """Whether anything becomes of the row."""
        return bool(self.content or self.excluded or self.split or self.tags or self.spans is not None)

    def applied(self, row: Row) -> Row:
        """The row as it shall be."""
        changed: dict[str, Any] = dict(self.content or {})
        if self.split:
            changed["split"] = self.split
        if self.tags:
            changed["tags"] = {name: text for name, text in {**row.tags, **self.tags}.items() if text is not None}
        made = replace(row, **changed) if changed else row
        return marked(made, self.spans) if self.spans is not None or self.content else made

    def with_deed(self, deed: Mapping[str, Any]) -> Change:
        """The change after one more review."""
        change = replace(self, number=deed["number"])
        match deed["type"]:
            case "edit":
                return replace(change, content=deed["content"])
            case "move":
                return replace(change, split=deed["split"])
            case "tag":
                return replace(change, tags={**self.tags, **deed["tags"]} if self.tags else deed["tags"])
            case "judge":
                change = replace(change, excluded=deed["status"] == "discarded")
                held = ("content", "spans") if deed["status"] == "accepted" else ()
                return replace(change, **{name: deed[name] for name in held if name in deed})
        return replace(change, excluded=deed["type"] == "exclude")


def change_of(deeds: Iterable[Mapping[str, Any]], known: int = 0) -> Change:
    """What these reviews make of a row; those up to number `known` are in the version already."""
    change = Change()
    for deed in deeds:
        if deed["number"] > known:
            change = change.with_deed(deed)
    return change


def with_texts(row: Row, texts: list[dict[str, Any]]) -> dict[str, Any]:
    """The contents of a row with some texts replaced; BadInput as for `Reviews.edit`."""
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
    return BadInput(
        f"The {what} can't be empty.", "There would be nothing to learn from.", "Leave the row out instead."
    )


def _no_place(row: Row, name: object) -> BadInput:
    return BadInput(f"Row {row.row_id} has no such text.", f"It has no “{name}” there.", "Reload the page.")
