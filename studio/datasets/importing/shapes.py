"""What files look like: the columns of each format, by their names and by what they hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from studio.datasets.importing.drafts import judgement
from studio.datasets.importing.mapping import Format, Role
from studio.datasets.importing.turns import is_turn, is_turns
from studio.datasets.spans import MARKED

TURNS = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns", "thread")
ASKS = ("prompt", "instruction", "question", "query", "input", "user", "human", "request", "source", "message")
ANSWERS = ("completion", "response", "output", "answer", "assistant", "reply", "target", "generation", "bot", "gpt")
LABELS = ("label", "labels", "category", "class", "intent", "sentiment", "topic")
TEXTS = ("text", "content", "document", "body", "article", "passage", "story", "raw_text", "markdown")
LABELLED = (*TEXTS, "sentence", "message", "review", "utterance", "comment", "tweet", "email", "ticket", *ASKS)
SYSTEMS = ("system", "system_prompt", "system_message", "system_instruction")
TOOLS = ("tools", "functions", "function_schemas")
CHOSEN = ("chosen", "preferred", "preferred_output", "better", "winner", "accepted", "chosen_response")
REJECTED = ("rejected", "non_preferred", "non_preferred_output", "dispreferred", "worse", "loser", "rejected_response")
VERDICTS = ("label", "kto_tag", "thumbs_up", "rating", "feedback", "desirable", "is_good")
SPLITS = ("split", "partition", "subset", "fold")
TAGS = ("domain", "tone", "task")
OWN = ("row_id", MARKED)  # which the studio writes beside what a row says
LONG_TEXT = 50
# Fewer filled cells than this do not show whether the values come again.
LABELLED_ROWS = 12


class Table:
    """The columns of a file by plain names (“Preferred Output” is preferred_output), and a sample of its records."""

    def __init__(self, columns: list[str], sample: list[dict[str, Any]]) -> None:
        self.columns = [column for column in columns if column not in OWN] or columns
        self.sample = sample
        self.by_name: dict[str, str] = {}
        for column in self.columns:
            self.by_name.setdefault(re.sub(r"[\s\-]+", "_", column.strip().lower()), column)

    def find(self, *names: str) -> str | None:
        """The column with the first of these names that there is."""
        return next((self.by_name[name] for name in names if name in self.by_name), None)

    def values(self, column: str) -> list[Any]:
        """What the sample holds in a column, empty cells left out."""
        found = [record.get(column) for record in self.sample]
        return [value for value in found if value is not None and value != ""]

    def share(self, column: str | None, test: Callable[[Any], bool]) -> float:
        """The share of the column's filled cells that pass a test; 0 for none."""
        values = self.values(column) if column else []
        return sum(map(test, values)) / len(values) if values else 0.0

    def conversation(self) -> str | None:
        """The column that holds conversations, by its name or else by what is in it."""
        named = self.find(*TURNS)
        if named and self.share(named, is_turns) >= 0.5:
            return named
        answers = {self.by_name.get(name) for name in (*CHOSEN, *REJECTED, *ANSWERS)}
        others = [column for column in self.columns[:200] if column not in answers]
        return next((column for column in others if self.share(column, is_turns) >= 0.8), None)


Found = tuple[Format, dict[Role, str | tuple[str, ...]], str]


def _preference(table: Table) -> Found | None:
    chosen, rejected = table.find(*CHOSEN), table.find(*REJECTED)
    if not chosen or not rejected:
        return None
    roles: dict[Role, Any] = {"chosen": chosen, "rejected": rejected}
    asks = table.conversation() or table.find(*ASKS)
    if asks:
        roles["messages" if table.share(asks, is_turns) >= 0.5 else "user"] = asks
    elif table.share(chosen, is_turns) < 0.5:
        return None
    more = table.find("input", "context") if "user" in roles else None
    if more and more != asks and table.by_name.get("instruction") == asks:
        roles["user"] = (asks, more)
    return "preference", roles, f"“{chosen}” and “{rejected}” are a better and a worse answer"


def _feedback(table: Table) -> Found | None:
    verdict = table.find(*VERDICTS)
    if not verdict or table.share(verdict, lambda value: judgement(value) is not None) < 0.9:
        return None
    turns, asks, answer = table.conversation(), table.find(*ASKS), table.find(*ANSWERS)
    if turns and table.share(turns, _ends_with_answer) >= 0.5:
        return "feedback", {"messages": turns, "label": verdict}, f"“{verdict}” says whether the answer is good"
    roles: dict[Role, Any] = {"label": verdict}
    roles |= {"messages": turns} if turns else {"user": asks}
    if answer and (turns or asks):
        return "feedback", roles | {"assistant": answer}, f"“{verdict}” says whether “{answer}” is good"
    return None


def _ends_with_answer(value: Any) -> bool:
    last = value[-1] if isinstance(value, list) and value else None
    role = (last.get("role") or last.get("from")) if isinstance(last, dict) else "assistant"
    return role in ("assistant", "gpt", "model", "bot")


def _turns(table: Table) -> Found | None:
    column = table.conversation()
    if not column:
        return None
    roles: dict[Role, Any] = {"messages": column}
    answer = table.find(*ANSWERS)
    if answer and answer != column and table.share(answer, lambda value: is_turns(value) or is_turn(value)) >= 0.5:
        roles["assistant"] = answer
        return "prompt_completion", roles, f"“{column}” and “{answer}” hold turns"
    if table.share(column, _is_sharegpt) >= 0.5:
        return "sharegpt", roles, f"“{column}” holds turns with “from” and “value” (ShareGPT)"
    return "messages", roles, f"“{column}” holds turns with “role” and “content”"


def _is_sharegpt(value: Any) -> bool:
    if isinstance(value, str):
        return '"from"' in value[:400]
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "from" in value[0]


def _alpaca(table: Table) -> Found | None:
    ask, answer = table.find("instruction"), table.find("output", "response", "completion", "answer")
    if not ask or not answer:
        return None
    more = table.find("input", "context")
    roles: dict[Role, Any] = {"user": (ask, more) if more else ask, "assistant": answer}
    if history := table.find("history"):
        roles["history"] = history
    return "alpaca", roles, "instruction and output are the columns of Alpaca"


def _question_answer(table: Table) -> Found | None:
    ask, answer = table.find("question", "q", "query"), table.find("answer", "answers", "a", "response", "reply")
    if not ask or not answer:
        return None
    context = table.find("context")
    return (
        "question_answer",
        {"user": (context, ask) if context else ask, "assistant": answer},
        f"“{ask}” asks and “{answer}” answers",
    )


def _prompt_completion(table: Table) -> Found | None:
    ask, answer = table.find(*ASKS), table.find(*ANSWERS)
    if not ask or not answer:
        return None
    return "prompt_completion", {"user": ask, "assistant": answer}, f"“{ask}” asks and “{answer}” answers"


def _label(table: Table) -> Found | None:
    text, label = table.find(*LABELLED) or _only_text(table), table.find(*LABELS)
    if text and not label and (label := _repeating(table, text)):
        return "label", {"user": text, "label": label}, f"“{text}” is a text; “{label}” has few values that come again"
    short = table.share(label, lambda value: not isinstance(value, (list, dict)) and len(str(value)) <= 100)
    if not text or not label or text == label or short < 0.9:
        return None
    return "label", {"user": text, "label": label}, f"“{text}” is a text and “{label}” its label"


def _only_text(table: Table) -> str | None:
    """The one column of texts that hardly come again, whatever it is called."""
    found = [name for name in table.columns[:200] if _is_texts(table.values(name))]
    return found[0] if len(found) == 1 else None


def _is_texts(values: list[Any]) -> bool:
    if len(values) < LABELLED_ROWS or not all(isinstance(value, str) for value in values):
        return False
    spaced = sum(" " in value.strip() for value in values)
    return spaced >= 0.9 * len(values) and len(set(values)) >= 0.8 * len(values)


def _repeating(table: Table, text: str) -> str | None:
    """The one column beside a text that holds a few short values again and again, as labels do."""
    known = {table.find(*SPLITS), *map(table.by_name.get, TAGS), text}
    found = [name for name in table.columns[:200] if name not in known and _is_labels(table.values(name))]
    return found[0] if len(found) == 1 else None


def _is_labels(values: list[Any]) -> bool:
    if len(values) < LABELLED_ROWS or not all(isinstance(value, str) and len(value) <= LONG_TEXT for value in values):
        return False
    return 2 <= len(set(values)) <= len(values) / 3


def _text(table: Table) -> Found | None:
    named = table.find(*TEXTS)
    column = named or (table.columns[0] if len(table.columns) == 1 else None)
    if not column or table.share(column, lambda value: isinstance(value, str)) < 0.9:
        return None
    others = [name for name in table.columns[:200] if name != column]
    if any(table.share(name, lambda value: isinstance(value, str) and len(value) > LONG_TEXT) > 0.5 for name in others):
        return None  # two texts side by side may be question and answer: that is for a person to say
    return (
        "text",
        {"text": column},
        f"“{column}” is the only text; without a column of answers, a model learns to go on in its manner",
    )


FINDERS: dict[Format, tuple[Callable[[Table], Found | None], str]] = {
    "preference": (_preference, "columns chosen and rejected, with a prompt or as whole conversations"),
    "feedback": (_feedback, "messages (or prompt and completion) and a label that is true or false"),
    "sharegpt": (_turns, "a column conversations with lists of {from, value}"),
    "messages": (_turns, "a column messages with lists of {role, content}"),
    "alpaca": (_alpaca, "columns instruction and output"),
    "question_answer": (_question_answer, "columns question and answer"),
    "prompt_completion": (_prompt_completion, "columns prompt and completion"),
    "label": (_label, "columns text and label"),
    "text": (_text, "one column with text"),
}
