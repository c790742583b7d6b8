"""One assistant turn, and the renderings that show where its words stand in the whole conversation."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from studio.batches.template import ChatTemplate, Message, Span
from studio.errors import BadInput

Tools = list[dict[str, Any]] | None
THOUGHT = "</think>"
# Letters only, so that no template trims, escapes or splits it.
MARK = "QzXqMarkVwJ"
ASKED = "QzXqAskedVwJ"


class Turn:
    """One assistant turn of a conversation, and the renderings that show where it stands in `text`."""

    def __init__(self, template: ChatTemplate, text: str, messages: list[Message], tools: Tools, number: int) -> None:
        self._template = template
        self.text = text
        self.messages = messages
        self._tools = tools
        self.number = number
        self.message = messages[number]
        self.is_last = number == len(messages) - 1

    @cached_property
    def prompt(self) -> str | None:
        """What the model is given to write this turn; None for the first message, for which nothing asks."""
        if not self.number:
            return None
        return self._template.render(self.messages[: self.number], self._tools, True)

    @cached_property
    def alone(self) -> str:
        """The conversation when it ends with this turn."""
        if self.is_last:
            return self.text
        return self._template.render(self.messages[: self.number + 1], self._tools)

    def words(self) -> Span:
        """Where the words of this turn stand in `text`: its content, or the name of its last call."""
        before, after = self._around(self.messages, self.number)
        fits = len(before) + len(after) <= len(self.text)
        if not (fits and self.text.startswith(before) and self.text.endswith(after)):
            raise self.refused("the template writes it differently depending on its words")
        return len(before), len(self.text) - len(after)

    def tail(self) -> str:
        """What follows the words of this turn when the conversation ends with it."""
        return self._around(self.messages[: self.number + 1], self.number)[1]

    def lead(self, floor: int) -> tuple[int, str, str] | None:
        """Where the message before ends in `text`, what follows it when this turn is asked for, and when it isn't."""
        if not self.number or not self.messages[self.number - 1].get("content"):
            return None
        try:
            before, after = self._around(self.messages, self.number - 1)
            _, asked = self._around(self.messages[: self.number], self.number - 1, True)
            _, unasked = self._around(self.messages[: self.number], self.number - 1)
        except BadInput:
            return None
        place = len(self.text) - len(after)
        fits = place >= max(floor, len(before)) and self.text.startswith(before) and self.text.endswith(after)
        return (place, asked, unasked) if fits else None

    def _around(self, messages: list[Message], number: int, prompt: bool = False) -> tuple[str, str]:
        """What stands before and after the words of a message in the rendering of `messages`."""
        mark = MARK
        while mark in self.text:
            mark += MARK
        marked = [*messages[:number], _marked(messages[number], mark), *messages[number + 1 :]]
        rendered = self._template.render(marked, self._tools, prompt)
        before, found, after = rendered.partition(mark)
        if not found:
            raise self.refused("the template leaves it out or rewrites it")
        if mark in after:
            if not messages[number].get("tool_calls"):
                raise self.refused("the template writes it more than once")
            after = after.replace(mark, messages[number]["tool_calls"][-1]["function"]["name"])
        return before, after

    def refused(self, why: str) -> BadInput:
        return refused(self.number, why)


def refused(number: int, why: str) -> BadInput:
    """That message `number` (from 0) is not where an answer has to be, and why."""
    return BadInput(
        f"Message {number + 1}, an answer, can't be found in what the model's template makes of this conversation.",
        f"For this message, {why}.",
        "Change or leave out the row, or choose another template with `--template`.",
    )


def _marked(message: Message, mark: str) -> Message:
    """The message with `mark` for its words: the name of its last tool call, else its content after any thinking."""
    if message.get("tool_calls"):
        *calls, last = message["tool_calls"]
        return {**message, "tool_calls": [*calls, {**last, "function": {**last["function"], "name": mark}}]}
    content = message.get("content") or ""
    thought, found, words = content.rpartition(THOUGHT)
    if found and words.strip():
        space = words[: len(words) - len(words.lstrip())]
        return {**message, "content": thought + found + space + mark}
    return {**message, "content": mark}
