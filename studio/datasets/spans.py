"""Words that reviewers marked in a row as names, places or whatever the guidelines list, as a version keeps them.

In `extra["marked"]` stands a list of

    {"of": "messages", "at": 1, "start": 0, "end": 4, "label": "Person", "text": "Anna"}

`of` is messages, chosen, rejected or text, `at` the turn's place there, from 0 (null for text); `start` and `end` count
its characters (Unicode's code points), `end` being the first one behind the marked ones, which `text` repeats. Every
form that a version is saved in has the same under that name, a table as JSON in a cell, and imports take it up again.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

from studio.datasets.rows import Row

MARKED = "marked"
Span = dict[str, Any]


def marked(row: Row, spans: list[Span] | None) -> Row:
    """The row with these words marked; None keeps the marks it has. Marks whose words are no longer there go."""
    held = row.extra.get(MARKED)
    if spans is None and not _are_spans(held):
        return row
    standing = [span for span in (spans_of(row) if spans is None else spans) if _stands(row, span)]
    if standing == (held or []):
        return row
    extra = {name: value for name, value in row.extra.items() if name != MARKED}
    return replace(row, extra=extra | ({MARKED: standing} if standing else {}))


def taken_up(extra: dict[str, Any], row: Any) -> dict[str, Any]:
    """The metadata of a record with marks as a list, also where a cell has them as JSON, as far as they stand in what
    the record says; whatever else has their name stays as it came.

    Args:
        row: what has `messages`, `chosen`, `rejected` and `text`.
    """
    held = extra[MARKED]
    if isinstance(held, str) and held[:2] == "[{":
        with suppress(ValueError, RecursionError):
            held = json.loads(held)
    if not _are_spans(held):
        return extra
    standing = [span for span in held if _stands(row, span)]
    return {name: value for name, value in extra.items() if name != MARKED} | ({MARKED: standing} if standing else {})


def spans_of(row: Row) -> list[Span]:
    """The marks of a row; none where a file had something else under that name."""
    held = row.extra.get(MARKED)
    return held if isinstance(held, list) and _are_spans(held) else []


KINDS: dict[str, Any] = {"of": str, "at": (int, type(None)), "start": int, "end": int, "label": str, "text": str}


def _are_spans(held: Any) -> bool:
    return isinstance(held, list) and all(
        isinstance(span, dict) and all(name in span and isinstance(span[name], kind) for name, kind in KINDS.items())
        for span in held
    )


def _stands(row: Any, span: Span) -> bool:
    """Whether the mark is on some words, and they are where it says."""
    content = getattr(row, str(span["of"]), None) if span["of"] in ("messages", "chosen", "rejected", "text") else None
    if isinstance(content, list):
        at = span["at"]
        content = content[at].get("content") if isinstance(at, int) and 0 <= at < len(content) else None
    start, end = span["start"], span["end"]
    return bool(content) and 0 <= start < end and str(content)[start:end] == span["text"]
