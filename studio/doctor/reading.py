"""A row as the doctor reads it: what is asked, what is answered, and every text that could hold something."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

from studio.datasets.likeness import said
from studio.datasets.reviewing.changes import CONTENTS
from studio.datasets.rows import Row, Turn

NAMES = {"system": "System", "user": "User", "assistant": "Answer", "tool": "Tool"}
ANSWERS = {"chosen": "Better answer", "rejected": "Worse answer"}


class Text(NamedTuple):
    """One text of a row and whose it is (“User”, “Answer”, “Label”)."""

    who: str
    text: str


class Reading:
    """One row on the doctor's table.

    Args:
        number: its place in the version, from 0.
        row: the row as it shall be, with what people did to it since the version.
    """

    def __init__(self, number: int, row: Row) -> None:
        self.number = number
        self.row = row

    @cached_property
    def parts(self) -> tuple[list[Turn], list[Turn]]:
        """The turns that ask and those that answer; a label or a text is an answer, too."""
        row, turns = self.row, self.row.messages or []
        if row.kind == "text":
            return [], [{"role": "text", "content": row.text or ""}]
        if row.kind == "label":
            return turns, [{"role": "assistant", "content": row.label or ""}]
        if row.kind == "preference":
            return turns, row.chosen or []
        if turns and turns[-1]["role"] == "assistant":
            return turns[:-1], turns[-1:]
        return turns, []

    @cached_property
    def prompt(self) -> str:
        """What is asked: every turn before the answer but the system prompt, which rows have in common."""
        return "\n".join(said(turn) for turn in self.parts[0] if turn["role"] != "system")

    @cached_property
    def answer(self) -> str:
        """What is answered, with the calls it makes."""
        return "\n".join(map(said, self.parts[1]))

    @cached_property
    def question(self) -> str:
        """The last thing the user said before the answer."""
        return next((turn["content"] for turn in reversed(self.parts[0]) if turn["role"] == "user"), "")

    @cached_property
    def texts(self) -> list[Text]:
        """Every text of the row: turns, thoughts, arguments of calls, labels."""
        found: list[Text] = []
        rewritten(self.row, lambda text, who: found.append(Text(who, text)) or text)  # type: ignore[func-returns-value]
        return found


def learned(reading: Reading) -> bool:
    """Whether a row's answer is to be learned: one judged bad is not, and is bad on purpose."""
    return reading.row.kind != "feedback" or reading.row.label == "true"


def rewritten(row: Row, change: Callable[[str, str], str]) -> dict[str, Any]:
    """The contents of a row as a review has them, with every text replaced by `change(text, whose)`."""
    content: dict[str, Any] = {}
    for name in CONTENTS:
        value = getattr(row, name)
        if value is None:
            continue
        if isinstance(value, list):
            content[name] = [_turn(turn, ANSWERS.get(name, ""), change) for turn in value]
        elif row.kind == "feedback":
            content[name] = value  # “true” or “false”: a judgement, no text
        else:
            content[name] = change(value, "Label" if name == "label" else "Text")
    return content


def _turn(turn: Turn, whose: str, change: Callable[[str, str], str]) -> Turn:
    who = whose or NAMES.get(str(turn["role"]), str(turn["role"]))
    made = dict(turn)
    for name in ("content", "reasoning_content"):
        if made.get(name):
            made[name] = change(made[name], who)
    if made.get("tool_calls"):
        made["tool_calls"] = [_call(call, who, change) for call in made["tool_calls"]]
    return made


def _call(call: dict[str, Any], who: str, change: Callable[[str, str], str]) -> dict[str, Any]:
    function = call.get("function")
    if not isinstance(function, dict):
        return call
    return {**call, "function": {**function, "arguments": _strings(function.get("arguments"), who, change)}}


def _strings(value: Any, who: str, change: Callable[[str, str], str]) -> Any:
    """Every string inside a value of JSON changed; keys stay."""
    if isinstance(value, str):
        return change(value, who)
    if isinstance(value, list):
        return [_strings(item, who, change) for item in value]
    if isinstance(value, dict):
        return {key: _strings(item, who, change) for key, item in value.items()}
    return value
