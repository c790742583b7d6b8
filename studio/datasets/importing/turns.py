"""Conversations as people store them (OpenAI, ShareGPT and their like) made into one form, or refused with a reason."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import from_json

from studio.datasets.reading.json_rows import name_of
from studio.datasets.rows import Turn

ROLES = {
    "user": "user",
    "human": "user",
    "prompter": "user",
    "customer": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "observation": "tool",
    "function": "tool",
    "ipython": "tool",
    "function_response": "tool",
    "tool_response": "tool",
    "tool_result": "tool",
    "function_call": "call",
    "tool_call": "call",
}
ROLE_KEYS = ("role", "from", "speaker", "author")
CONTENT_KEYS = ("content", "value", "text", "message")
THOUGHTS = ("reasoning_content", "thinking", "reasoning")
LIST_KEYS = ("messages", "conversations", "conversation", "turns")
# Conversations written as one text, as Anthropic's: “\n\nHuman: …\n\nAssistant: …”.
WRITTEN = re.compile(r"\s*(Human|User|System):")
SPEAKER = re.compile(r"(?:^|\n\n)\s*(Human|User|Assistant|System):[ \t]?")
TEXT_PARTS = ("text", "input_text", "output_text")
PARTS = {
    "image": "a picture", "image_url": "a picture", "input_image": "a picture", "audio": "a sound recording",
    "input_audio": "a sound recording", "video": "a film", "video_url": "a film", "file": "a file",
    "input_file": "a file",
}  # fmt: skip


class BadRow(Exception):
    """Why one row can't be used, in words that go on after “row 12: ”."""


def is_turns(value: Any) -> bool:
    """Whether a value is a conversation: a list of objects with role and content, that as a JSON text, or a text with
    “Human:” and “Assistant:” before what each says."""
    if isinstance(value, str):
        if not value.lstrip().startswith("[{"):
            return is_written(value)
        try:
            value = from_json(value)
        except ValueError:
            return False
    if isinstance(value, dict):
        return any(is_turns(value.get(key)) for key in LIST_KEYS)
    return isinstance(value, list) and bool(value) and is_turn(value[0])


def is_written(text: str) -> bool:
    """Whether a text is a conversation with the speakers' names in it."""
    return bool(WRITTEN.match(text)) and "\n\nAssistant:" in text


def read_written(text: str) -> list[Turn]:
    """The turns of such a text."""
    _, *parts = SPEAKER.split(text.strip())
    said = zip(parts[::2], parts[1::2], strict=True)
    return [{"role": ROLES[name.lower()], "content": words.strip()} for name, words in said]


def is_turn(value: Any) -> bool:
    return isinstance(value, dict) and any(key in value for key in ROLE_KEYS) and len(value) > 1


def read_turns(value: Any, column: str) -> list[Turn]:
    """The turns of a conversation, each `{"role", "content"}` and what belongs to tool calls and reasoning.

    Args:
        value: a list of messages, one message, an object with a list of messages in it, any of these as JSON text, or
            a text with “Human:” and “Assistant:” before what each says.
        column: where it stands, for the reason.

    Raises:
        BadRow: it is no conversation, or a turn of it is not text.
    """
    if isinstance(value, str) and is_written(value):
        value = read_written(value)
    if isinstance(value, str):
        value = parse(value, f"“{column}” is no conversation: it")
    if isinstance(value, dict):
        inner = next((value[key] for key in LIST_KEYS if isinstance(value.get(key), list)), None)
        value = [value] if inner is None else inner
    if not isinstance(value, list):
        raise BadRow(f"“{column}” is {name_of(value)}, not a list of turns")
    if not value:
        raise BadRow(f"“{column}” has no turns")
    turns: list[Turn] = []
    for number, item in enumerate(value, 1):
        turn = _read_turn(item, number)
        if turns and _is_bare_call(turn) and turns[-1]["role"] == "assistant" and "tool_calls" not in turns[-1]:
            turn["content"] = turns.pop()["content"]  # ShareGPT parts what is said from the call that goes with it
        turns.append(turn)
    if turns[0]["role"] == "system" and not turns[0]["content"].strip():
        del turns[0]
    return turns


def _is_bare_call(turn: Turn) -> bool:
    return "tool_calls" in turn and not turn["content"]


def parse(text: str, what: str) -> Any:
    try:
        return from_json(text)
    except ValueError:
        raise BadRow(f"{what} is not valid JSON") from None


def _read_turn(item: Any, number: int) -> Turn:
    if not isinstance(item, dict):
        raise BadRow(f"turn {number} is {name_of(item)}, not an object with role and content")
    name = next((item[key] for key in ROLE_KEYS if item.get(key) is not None), None)
    role = ROLES.get(name.strip().lower()) if isinstance(name, str) else None
    if role is None:
        raise BadRow(f"turn {number} has the unknown role “{name}”" if name else f"turn {number} says no role")
    content = next((item[key] for key in CONTENT_KEYS if item.get(key) is not None), None)
    if role == "call":
        calls = parse(content, f"the call in turn {number}") if isinstance(content, str) else content
        return {"role": "assistant", "content": "", "tool_calls": read_calls(calls, number)}
    turn: Turn = {"role": role, "content": content if isinstance(content, str) else _join(content, number)}
    calls = item.get("tool_calls") or item.get("function_call")
    if calls and role == "assistant":
        turn["tool_calls"] = read_calls(calls, number)
    if role == "assistant" and (thoughts := next((item[key] for key in THOUGHTS if item.get(key)), None)):
        turn["reasoning_content"] = thoughts if isinstance(thoughts, str) else _join(thoughts, number)
    if role == "assistant" and item.get("weight") is not None:
        if item["weight"] not in (0, 1):
            raise BadRow(f"turn {number} has the weight {str(item['weight'])[:20]}; only 0 and 1 are known")
        if item["weight"] == 0:
            turn["weight"] = 0  # said, and not learned
    for key in ("name", "tool_call_id"):
        if isinstance(item.get(key), str):
            turn[key] = item[key]
    return turn


def _join(content: Any, number: int) -> str:
    """The text of content given in parts; a part that is no text makes the row unusable."""
    if content is None:
        return ""
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise BadRow(f"turn {number} is {name_of(content)}, not text")
    texts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) else part
        kind = part.get("type", "text") if isinstance(part, dict) else "text"
        if kind in PARTS:
            raise BadRow(f"turn {number} holds {PARTS[kind]}; only text can be learned")
        if kind not in TEXT_PARTS or not isinstance(text, str):
            raise BadRow(f"turn {number} holds a part that is not text (“{kind}”)")
        texts.append(text)
    return "\n".join(texts)


def read_calls(value: Any, number: int) -> list[dict[str, Any]]:
    """Function calls as `{"type": "function", "function": {"name", "arguments": object}}`, with `id` where given."""
    calls = []
    for item in value if isinstance(value, list) else [value]:
        inner = item.get("function", item) if isinstance(item, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            raise BadRow(f"the call in turn {number} names no function")
        arguments = inner.get("arguments", inner.get("parameters"))
        if isinstance(arguments, str):
            arguments = parse(arguments or "{}", f"the arguments of the call in turn {number}: they")
        if arguments is None:
            arguments = {}
        if not isinstance(arguments, dict):
            raise BadRow(f"the arguments of the call in turn {number} are {name_of(arguments)}, not an object")
        call: dict[str, Any] = {"type": "function", "function": {"name": inner["name"], "arguments": arguments}}
        if isinstance(item.get("id"), str):
            call["id"] = item["id"]
        calls.append(call)
    return calls


def read_tools(value: Any, column: str) -> list[dict[str, Any]] | None:
    """Function schemas in OpenAI's form out of a list or its JSON text; None when there are none."""
    if isinstance(value, str):
        value = parse(value, f"“{column}”") if value.strip() else None
    if not value:
        return None
    tools = []
    for item in value if isinstance(value, list) else [value]:
        inner = item.get("function", item) if isinstance(item, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            raise BadRow(f"“{column}” holds something that is no function with a name")
        tools.append({"type": "function", "function": inner})
    return tools


def check_order(turns: list[Turn], ends: str = "assistant") -> None:
    """Raises BadRow unless a system turn comes first, user and assistant take turns, and tools answer calls.

    Args:
        ends: `assistant` for a conversation to learn, `user` for a prompt (a tool's answer will do there, too).
    """
    before = ""
    for number, turn in enumerate(turns, 1):
        role = turn["role"]
        if not turn["content"].strip() and "tool_calls" not in turn and role != "tool":
            raise BadRow(f"turn {number} ({role}) is empty")
        if role == "system" and number > 1:
            raise BadRow(f"turn {number} is a system turn; it may only come first")
        if role == "user" and before == "user":
            raise BadRow(f"turns {number - 1} and {number} are both the user's")
        if role == "assistant" and before == "assistant":
            raise BadRow(f"turns {number - 1} and {number} are both the assistant's")
        if role == "assistant" and before in ("", "system"):
            raise BadRow("it begins with an assistant turn, before the user said anything")
        if role == "tool" and not (before == "tool" or (number > 1 and "tool_calls" in turns[number - 2])):
            raise BadRow(f"turn {number} is a tool's answer, but no call comes before it")
        before = role
    if not any(turn["role"] == "user" for turn in turns):
        raise BadRow("it has no user turn")
    if ends == "assistant" and not any(turn["role"] == "assistant" for turn in turns):
        raise BadRow("it has no assistant turn, so there is nothing to learn")
    if ends == "assistant" and before != "assistant":
        raise BadRow(f"its last turn is the {before}'s: there is no answer to it")
    if ends == "user" and before not in ("user", "tool"):
        raise BadRow("its prompt ends with an assistant turn, so the answers do not answer it")
