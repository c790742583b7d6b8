"""Rows as the page draws them: turns with their calls, long texts shortened in lists, the words for what they are."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.datasets.reviewing.changes import Change
    from studio.datasets.rows import Row

SHORT = 1500
WHOLE = 4 << 20  # what is longer can't be edited either
TURNS_SHORT = 4

KINDS = {
    "chat": "Conversations",
    "label": "Texts and labels",
    "preference": "Better and worse answers",
    "feedback": "Answers judged good or bad",
    "text": "Plain text",
}
FORMATS = {
    "alpaca": "Instructions and outputs (Alpaca)",
    "sharegpt": "Conversations (ShareGPT)",
    "messages": "Conversations (OpenAI messages)",
    "prompt_completion": "Prompts and completions",
    "question_answer": "Questions and answers",
    "label": "Texts and labels",
    "preference": "Better and worse answers",
    "feedback": "Answers judged good or bad",
    "text": "Plain text",
    "mapped": "Columns as you chose them",
}


def picture(row: Row, change: Change | None = None, short: bool = False) -> dict[str, Any]:
    """A row for the page, as it shall be when a change is pending.

    Args:
        short: for lists: long texts and conversations are cut, and say so.
    """
    shown = change.applied(row) if change else row
    most = SHORT if short else WHOLE
    drawn: dict[str, Any] = {
        "id": row.row_id,
        "kind": row.kind,
        "split": shown.split,
        "tags": shown.tags,
        "file": row.source_file,
        "line": row.source_line,
        "label": shown.label,
        "tools": [tool.get("function", tool).get("name", "?") for tool in row.tools or []],
        "excluded": bool(change and change.excluded),
        "edited": bool(change and change.content),
        "moved": bool(change and change.split),
        "tagged": bool(change and change.tags),
        "changed": change is not None,
    }
    if row.tools and not short:
        drawn["definitions"] = [cut(_pretty(tool), most) for tool in row.tools]
    for name in ("messages", "chosen", "rejected"):
        turns = getattr(shown, name)
        if turns is not None:
            kept = turns[:TURNS_SHORT] if short else turns
            drawn[name] = [_turn(turn, most) for turn in kept]
            drawn["more"] = drawn.get("more", 0) + len(turns) - len(kept)
    if shown.text is not None:
        drawn["text"] = cut(shown.text, most)
    return drawn


def _turn(turn: dict[str, Any], most: int) -> dict[str, Any]:
    calls = [call.get("function", {}) for call in turn.get("tool_calls") or []]
    made = {"role": turn["role"], "content": cut(turn.get("content") or "", most)}
    if calls:
        made["calls"] = [
            {"name": call.get("name", "?"), "arguments": cut(_pretty(call.get("arguments")), most)} for call in calls
        ]
    for name in ("name", "reasoning_content"):
        if turn.get(name):
            made[name] = cut(str(turn[name]), most)
    return made


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "…"


def raw(row: Row) -> dict[str, Any]:
    """The row as the version has it, empty fields left out."""
    return {name: value for name, value in asdict(row).items() if value not in (None, {}, [], "")}
