"""From a record to what is learned from it, by a mapping; or the reason why nothing can be."""

from __future__ import annotations

from typing import Any, NamedTuple

from studio.datasets.importing.mapping import Mapping, Source
from studio.datasets.importing.turns import BadRow, check_order, is_turn, is_turns, is_written, read_tools, read_turns
from studio.datasets.reading.json_rows import name_of
from studio.datasets.rows import Kind, Turn
from studio.datasets.spans import MARKED, taken_up

YES = frozenset(("true", "1", "1.0", "yes", "y", "good", "up", "desirable", "like", "👍"))
NO = frozenset(("false", "0", "0.0", "-1", "no", "n", "bad", "down", "undesirable", "dislike", "👎"))


class Draft(NamedTuple):
    """A row before it has an id and a side. `learned` is what its id is made from, see `rows.content_hash`."""

    kind: Kind
    messages: list[Turn] | None
    tools: list[dict[str, Any]] | None
    chosen: list[Turn] | None
    rejected: list[Turn] | None
    label: str | None
    text: str | None
    key: str | None
    split: str | None
    tags: dict[str, str]
    extra: dict[str, Any]
    learned: list[Any]


def text_of(value: Any, column: str) -> str:
    """A cell as text: numbers and dates as they read, empty cells as ""; BadRow for lists and objects."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict, tuple, bytes)):
        raise BadRow(f"“{column}” is {'bytes' if isinstance(value, bytes) else name_of(value)}, not text")
    if isinstance(value, float):
        return "" if value != value else repr(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def judgement(value: Any) -> bool | None:
    """A thumb up or down out of a cell, None when it is neither."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    return True if word in YES else False if word in NO else None


class Drafter:
    """Makes drafts by one mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.roles = mapping.roles
        self.kind: Kind = mapping.kind  # type: ignore[assignment]
        # By name, so that another wording or order in a template keeps the ids.
        self.by_name = {role: sorted(source.columns) for role, source in self.roles.items()}
        self.put_away = mapping.learned | set(mapping.tags) | ({mapping.split} if mapping.split else set())
        self.make = {
            "chat": self._chat, "preference": self._preference, "feedback": self._feedback, "label": self._label,
            "text": self._text,
        }[self.kind]  # fmt: skip

    def draft(self, values: dict[str, Any]) -> Draft:
        """What one record teaches. Raises BadRow."""
        learned: list[Any] = []
        made = self.make(values, learned)
        mapping = self.mapping
        tags = {}
        for tag in mapping.tags:
            if text := text_of(values.get(tag), tag).strip():
                tags[tag] = text
        draft = Draft(
            kind=self.kind,
            messages=made.get("messages"),
            tools=self._tools(values, learned),
            chosen=made.get("chosen"),
            rejected=made.get("rejected"),
            label=made.get("label"),
            text=made.get("text"),
            key=self._key(values) if mapping.key else None,
            split=text_of(values.get(mapping.split), mapping.split).strip() if mapping.split else None,
            tags=tags,
            extra={name: value for name, value in values.items() if name not in self.put_away},
            learned=learned,
        )
        return draft._replace(extra=taken_up(draft.extra, draft)) if draft.extra.get(MARKED) else draft

    def _chat(self, values: dict[str, Any], learned: list[Any]) -> dict[str, Any]:
        turns = self._prompt(values, learned)
        if "assistant" in self.roles:
            turns = turns + self._answer("assistant", values, learned)
        check_order(turns)
        if all(turn.get("weight") == 0 for turn in turns if turn["role"] == "assistant"):
            raise BadRow("none of its answers is to be learned: their weights are all 0")
        return {"messages": self._with_system(turns, values, learned)}

    def _feedback(self, values: dict[str, Any], learned: list[Any]) -> dict[str, Any]:
        made = self._chat(values, learned)
        column = self.roles["label"].columns[0]
        good = judgement(values.get(column))
        if good is None:
            raise BadRow(self._lacks("label", values) or f"“{column}” is neither true nor false")
        learned.append(["label", good])
        return made | {"label": "true" if good else "false"}

    def _label(self, values: dict[str, Any], learned: list[Any]) -> dict[str, Any]:
        turns = self._prompt(values, learned)
        check_order(turns, "user")
        label = self._words("label", values, learned).strip()
        return {"messages": self._with_system(turns, values, learned), "label": label}

    def _text(self, values: dict[str, Any], learned: list[Any]) -> dict[str, Any]:
        return {"text": self._words("text", values, learned)}

    def _preference(self, values: dict[str, Any], learned: list[Any]) -> dict[str, Any]:
        asks: list[Any] = []
        turns = self._prompt(values, asks) if {"messages", "user"} & set(self.roles) else []
        chosen = self._answer("chosen", values, [])
        rejected = self._answer("rejected", values, [])
        if not turns:
            turns = _shared(chosen, rejected)
            asks = [["messages", turns]]
        check_order(turns, "user")
        said = [turn for turn in turns if turn["role"] != "system"]
        chosen, rejected = _behind(turns, said, chosen), _behind(turns, said, rejected)
        for name, answer in (("chosen", chosen), ("rejected", rejected)):
            if not answer:
                raise BadRow(f"its {name} answer is empty")
            check_order(turns + answer)
        if chosen == rejected:
            raise BadRow("its chosen and rejected answers are the same")
        learned += [*asks, ["chosen", chosen], ["rejected", rejected]]
        return {"messages": self._with_system(turns, values, learned), "chosen": chosen, "rejected": rejected}

    def _prompt(self, values: dict[str, Any], learned: list[Any]) -> list[Turn]:
        """The turns before the answer, as far as the record has them in one place."""
        if "messages" in self.roles:
            column = self.roles["messages"].columns[0]
            value = values.get(column)
            if value is None or value == "":
                raise BadRow(self._lacks("messages", values))
            turns = read_turns(value, column)
            learned.append(["messages", turns])
            return turns
        before = self._history(values, learned) if "history" in self.roles else []
        return [*before, {"role": "user", "content": self._words("user", values, learned)}]

    def _history(self, values: dict[str, Any], learned: list[Any]) -> list[Turn]:
        column = self.roles["history"].columns[0]
        pairs = values.get(column) or []
        if not isinstance(pairs, list) or any(not isinstance(pair, (list, tuple)) or len(pair) != 2 for pair in pairs):
            raise BadRow(f"“{column}” is no list of pairs of question and answer")
        turns = []
        for question, answer in pairs:
            turns.append({"role": "user", "content": text_of(question, column)})
            turns.append({"role": "assistant", "content": text_of(answer, column)})
        if turns:
            learned.append(["history", turns])
        return turns

    def _answer(self, role: str, values: dict[str, Any], learned: list[Any]) -> list[Turn]:
        source = self.roles[role]  # type: ignore[index]
        value = values.get(source.columns[0])
        if isinstance(value, dict) and "text" in value and isinstance(value["text"], list):
            return [{"role": "assistant", "content": self._span(role, value, learned)}]
        written = isinstance(value, str) and (value[:2] == "[{" or is_written(value))
        if isinstance(value, (list, dict)) or (written and is_turns(value)):
            if isinstance(value, dict) and not is_turn(value) and not is_turns(value):
                raise BadRow(f"“{source.columns[0]}” is an object without role and content")
            turns = read_turns(value, source.columns[0])
            learned.append([role, turns])
            return turns
        return [{"role": "assistant", "content": self._words(role, values, learned)}]

    def _span(self, role: str, value: dict[str, Any], learned: list[Any]) -> str:
        """The first answer of an object as SQuAD has them: `{"text": [answers], "answer_start": [places]}`."""
        answers = [text for text in value["text"] if isinstance(text, str) and text.strip()]
        if not answers:
            raise BadRow(f"“{self.roles[role].columns[0]}” has no answer")  # type: ignore[index]
        learned.append([role, answers[:1]])
        return answers[0]

    def _words(self, role: str, values: dict[str, Any], learned: list[Any]) -> str:
        """The text that fills a role; BadRow when all its columns are empty."""
        source: Source = self.roles[role]  # type: ignore[index]
        if len(source.columns) == 1:
            column = source.columns[0]
            parts = [text_of(values.get(column), column)]
            used = parts
        else:
            by_column = {column: text_of(values.get(column), column) for column in source.columns}
            parts = list(by_column.values())
            used = [by_column[column] for column in self.by_name[role]]  # type: ignore[index]
        if not any(part.strip() for part in parts):
            raise BadRow(self._lacks(role, values))
        learned.append([role, used])
        return source.fill(parts)

    def _lacks(self, role: str, values: dict[str, Any]) -> str:
        """Which columns of a role are missing or empty, "" when none is."""
        columns = self.roles[role].columns  # type: ignore[index]
        empty = [name for name in columns if values.get(name) is None or not str(values[name]).strip()]
        names = " and ".join(f"“{name}”" for name in empty)
        missing = not any(name in values for name in empty)
        if not empty:
            return ""
        return f"{names} {'is' if len(empty) == 1 else 'are'} {'missing' if missing else 'empty'}"

    def _with_system(self, turns: list[Turn], values: dict[str, Any], learned: list[Any]) -> list[Turn]:
        """The turns with a system turn in front: the row's own, its system column's, or the set's."""
        own = ""
        if "system" in self.roles:
            columns = self.by_name["system"]
            parts = [text_of(values.get(column), column) for column in self.roles["system"].columns]
            if any(part.strip() for part in parts):
                own = self.roles["system"].fill(parts)
                learned.append(["system", [text_of(values.get(column), column) for column in columns]])
        words = own or self.mapping.system
        if not words or turns[0]["role"] == "system":
            return turns
        return [{"role": "system", "content": words}, *turns]

    def _tools(self, values: dict[str, Any], learned: list[Any]) -> list[dict[str, Any]] | None:
        tools = None
        if "tools" in self.roles:
            column = self.roles["tools"].columns[0]
            tools = read_tools(values.get(column), column)
        elif "messages" in self.roles and isinstance(inner := values.get(self.roles["messages"].columns[0]), dict):
            tools = read_tools(inner.get("tools"), "tools")  # OpenAI's preference files keep them beside the turns
        if tools:
            learned.append(["tools", tools])
        return tools

    def _key(self, values: dict[str, Any]) -> str:
        column = self.mapping.key or ""
        key = text_of(values.get(column), column).strip()
        if not key:
            raise BadRow(f"its key (“{column}”) is empty")
        return key


def _shared(chosen: list[Turn], rejected: list[Turn]) -> list[Turn]:
    """The turns both conversations begin with: the prompt of a preference that names none."""
    count = 0
    for one, other in zip(chosen[:-1], rejected[:-1], strict=False):
        if one != other:
            break
        count += 1
    if not count:
        raise BadRow("it has no prompt, and its two answers do not begin with the same turns")
    return chosen[:count]


def _behind(turns: list[Turn], said: list[Turn], answer: list[Turn]) -> list[Turn]:
    """The answer without the prompt, where it repeats it (with or without its system turn)."""
    for prompt in (turns, said):
        if prompt and answer[: len(prompt)] == prompt:
            return answer[len(prompt) :]
    return answer
