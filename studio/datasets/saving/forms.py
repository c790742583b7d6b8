"""A row in the forms that other tools read: OpenAI's messages, Alpaca, ShareGPT.

Each gives the row as an object; `Unfit` says why a row has no place in a form. All of them import here again, with the
words that were marked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from studio.datasets.importing.turns import BadRow, read_turns
from studio.datasets.rows import Row, Turn
from studio.datasets.spans import MARKED, spans_of

Record = dict[str, Any]
SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


class Unfit(Exception):
    """The form can't hold the row; the reason in a few words."""


def alpaca(row: Row) -> Record:
    """Alpaca's form as LLaMA-Factory reads it: `instruction`, `input`, `output`, and `system`, `history` where needed;
    for pairs `chosen` and `rejected` instead of `output`; raw text as `text`."""
    if row.kind == "text":
        return {"text": row.text}
    turns = _plain_turns(row)
    system = turns.pop(0)["content"] if turns and turns[0]["role"] == "system" else None
    asked = turns if row.kind in ("preference", "label") else turns[:-1]
    if not asked or [turn["role"] for turn in asked] != _alternating(len(asked)) or asked[-1]["role"] != "user":
        raise Unfit("its turns do not alternate between user and assistant")
    earlier = [[asked[at]["content"], asked[at + 1]["content"]] for at in range(0, len(asked) - 1, 2)]
    made: Record = {"instruction": asked[-1]["content"], "input": ""}
    if row.kind == "preference":
        made |= {"chosen": _only(row.chosen), "rejected": _only(row.rejected)}
    elif row.kind == "label":
        made["output"] = row.label
    elif turns[-1]["role"] != "assistant":
        raise Unfit("it does not end with an answer")
    else:
        made["output"] = turns[-1]["content"]
    if row.kind == "feedback":
        made["kto_tag"] = row.label == "true"
    return made | ({"system": system} if system else {}) | ({"history": earlier} if earlier else {})


def sharegpt(row: Row) -> Record:
    """ShareGPT's form as LLaMA-Factory and Axolotl read it: `conversations` of `from` and `value`, `tools` as JSON;
    for pairs `chosen` and `rejected` as one turn each."""
    if row.kind == "text":
        raise Unfit("raw text is no conversation")
    said = row.messages or [] if row.kind in ("preference", "feedback") else row.conversation()
    made: Record = {"conversations": [spoken for turn in said for spoken in _spoken(turn)]}
    if row.kind == "preference":
        made |= {"chosen": _spoken_once(row.chosen), "rejected": _spoken_once(row.rejected)}
    if row.kind == "feedback":
        made["kto_tag"] = row.label == "true"
    if row.tools:
        made["tools"] = json.dumps([tool.get("function", tool) for tool in row.tools], ensure_ascii=False)
    return made


FORMS: dict[str, Callable[[Row], Record]] = {"messages": Row.record, "alpaca": alpaca, "sharegpt": sharegpt}


def marks(row: Row, record: Record) -> Record:
    """The row's marked words (spans.py) beside it in a form, {} for none.

    Raises:
        Unfit: the form counts the turns otherwise, so the marks would stand at other words.
    """
    spans = spans_of(row)
    if spans and "conversations" in record:
        said = row.messages or [] if row.kind in ("preference", "feedback") else row.conversation()
        if [_words(turn) for turn in said] != [_words(turn) for turn in _read(record["conversations"])]:
            raise Unfit("it parts a turn that calls several tools into several turns")
    return {MARKED: spans} if spans else {}


def _words(turn: Turn) -> tuple[str, str]:
    return turn["role"], str(turn.get("content") or "")


def _read(conversation: list[Record]) -> list[Turn]:
    try:
        return read_turns(conversation, "conversations")
    except BadRow:
        return []


def _alternating(count: int) -> list[str]:
    return ["user" if at % 2 == 0 else "assistant" for at in range(count)]


def _plain_turns(row: Row) -> list[Turn]:
    turns = list(row.messages or [])
    if row.tools or any(turn["role"] == "tool" or turn.get("tool_calls") for turn in turns):
        raise Unfit("it calls tools, for which this form has no place")
    return turns


def _only(turns: list[Turn] | None) -> str:
    if len(turns or []) != 1 or (turns or [])[0].get("tool_calls"):
        raise Unfit("one of its answers has several turns")
    return str((turns or [])[0]["content"])


def _spoken(turn: Turn) -> list[Record]:
    """One turn; its calls of functions stand as turns of their own."""
    calls = [
        {"from": "function_call", "value": json.dumps(_call(call), ensure_ascii=False)}
        for call in turn.get("tool_calls") or []
    ]
    words = [{"from": SPEAKERS[turn["role"]], "value": turn["content"]}] if turn.get("content") or not calls else []
    return [*words, *calls]


def _call(call: dict[str, Any]) -> Record:
    function = call.get("function", {})
    return {"name": function.get("name", ""), "arguments": function.get("arguments", {})}


def _spoken_once(turns: list[Turn] | None) -> Record:
    spoken = [each for turn in turns or [] for each in _spoken(turn)]
    if len(spoken) != 1:
        raise Unfit("one of its answers has several turns")
    return spoken[0]
