"""Which characters of a rendered conversation are the assistant's answers, to be learned.

An answer is what the model has to write after the prompt that it is given when it is used: all of the turn up to and
with the token that ends it, and neither the header before nor the line break after. Found in one of three ways:

1. The template says it itself with `{% generation %}`.
2. By prefixes: the conversation rendered up to the turn is how the whole begins, and the turn ends as this template
   ends turns (learned once from a probe).
3. By marks, where a template writes earlier turns otherwise than last ones (drops their thinking, moves the system
   prompt): the turn is rendered once more with a mark in the place of its words, which shows where they stand.

What can't be determined is refused, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from studio.batches.template import ChatTemplate, Message, Span
from studio.errors import BadInput

LossOn = Literal["all", "last"]
Tools = list[dict[str, Any]] | None
THOUGHT = "</think>"
# Letters only, so that no template trims, escapes or splits it.
MARK = "QzXqMarkVwJ"


@dataclass(frozen=True)
class Answers:
    """A rendered conversation with its answers: spans of characters in `text`, and how many of them have no end."""

    text: str
    spans: list[Span]
    open: int


class AnswerFinder:
    """Finds the answers in what one template renders.

    Args:
        template: the chat template.
        added: the texts of the tokenizer's added tokens, longest first.
        stops: the texts of the tokens at which the model's answers end.
    """

    def __init__(self, template: ChatTemplate, added: list[str], stops: set[str]) -> None:
        self.template = template
        self._stops = stops
        self._token = re.compile("|".join(map(re.escape, added)) or r"(?!)")

    def find(self, messages: list[Message], tools: Tools = None, loss_on: LossOn = "all") -> Answers:
        """The answers to learn: those of all assistant turns, or of the last one.

        Raises:
            BadInput: the template refuses the conversation, or its answers can't be told apart in what it renders.
        """
        turns = [number for number, message in enumerate(messages) if message.get("role") == "assistant"]
        wanted = turns if loss_on == "all" else turns[-1:]
        if self.template.tracks_answers:
            return self._tracked(messages, tools, wanted)
        text = self.template.render(messages, tools)
        answers: list[tuple[Span, bool]] = []
        for number in wanted:
            turn = _Turn(self.template, text, messages, tools, number)
            floor = answers[-1][0][1] if answers else 0
            answers.append(self._prefixed(turn) or self._marked(turn, floor))
            _check(turn, *answers[-1][0], floor)
        return Answers(text, [span for span, _ in answers], sum(not closed for _, closed in answers))

    @property
    def end_token(self) -> str | None:
        """The token that closes an answer in this template, None when there is none."""
        closing = self._probe.last.strip() if self._probe else ""
        return closing if self._token.fullmatch(closing) else None

    def _tracked(self, messages: list[Message], tools: Tools, wanted: list[int]) -> Answers:
        text, spans = self.template.render_tracked(messages, tools)
        if wanted and wanted[0] > 0 and any(message.get("role") == "assistant" for message in messages[: wanted[0]]):
            spans = spans[len(self.template.render_tracked(messages[: wanted[0]], tools)[1]) :]
        return Answers(text, [span for span in spans if span[0] < span[1]], 0)

    # Prefixes

    def _prefixed(self, turn: _Turn) -> tuple[Span, bool] | None:
        probe = self._probe
        if probe is None or not probe.prompted:
            return None
        text = turn.text
        content = len(turn.alone) - len(probe.tail)
        closing = probe.last if turn.is_last else probe.between
        if turn.prompt is None or not text.startswith(turn.prompt) or not turn.alone.endswith(probe.tail):
            return None
        start = self._past_prompt(turn, turn.prompt)
        if content < start:
            return None
        if not text.startswith(turn.alone[:content]) or not text.startswith(closing, content):
            return None
        if closing:
            return (start, content + len(closing)), True
        stop = self._stop_at(text, content)
        return (start, stop or content), stop is not None

    def _past_prompt(self, turn: _Turn, prompt: str) -> int:
        """Where the answer begins after `prompt`; past the header where only the turn has it (after tool results)."""
        header = self._probe.header if self._probe else ""
        missing = header and not prompt.endswith(header) and turn.text.startswith(header, len(prompt))
        return len(prompt) + (len(header) if missing else 0)

    def _stop_at(self, text: str, place: int) -> int | None:
        """Where the token at `place` ends if it is one that stops the model."""
        match = self._token.match(text, place)
        return match.end() if match and match.group() in self._stops else None

    @cached_property
    def _probe(self) -> _Probe | None:
        """How this template ends turns, seen on a small conversation; None when it does not take one."""
        asked: list[Message] = [{"role": "user", "content": "x"}]
        answered = [*asked, {"role": "assistant", "content": MARK}]
        try:
            prompt = self.template.render(asked, None, True)
            last = self.template.render(answered)
            between = self.template.render([*answered, *asked])
        except BadInput:
            return None
        if last.count(MARK) != 1 or between.count(MARK) != 1:
            return None
        before, tail = last.split(MARK)
        unasked = self.template.render(asked)
        header = prompt[self._whole_tokens(prompt, _same(prompt, unasked)) :]
        if prompt == unasked and before.startswith(prompt):
            # It asks for nothing; what it then writes before the answer is a header all the same, but for blanks.
            header = before[len(prompt) :] if before[len(prompt) :].strip() else ""
        return _Probe(
            prompted=before.startswith(prompt),
            header=header,
            tail=tail,
            last=self._closing(tail, tail) or "",
            between=self._closing(between.split(MARK)[1], tail) or "",
        )

    def _closing(self, after: str, tail: str) -> str | None:
        """What closes the answer that `after` follows, given the `tail` that follows it when nothing comes next.

        A token, where there is one; else the words that stand there either way. None when it stays open.
        """
        match = first = self._token.match(after, len(after) - len(after.lstrip()))
        if first and (first.group() in self._stops or self._token.match(tail.lstrip())):
            while match and match.group() not in self._stops:  # some end the words first and then the turn
                match = self._token.match(after, match.end())
            return after[: (match or first).end()]
        words = after[: _same(after, tail)].rstrip()
        return words or None

    # Marks

    def _marked(self, turn: _Turn, floor: int) -> tuple[Span, bool]:
        first, last = turn.words()
        start = self._start(turn, floor, first)
        tail = turn.tail()
        after = turn.text[last:]
        if not turn.message.get("tool_calls"):
            closing = self._closing(after, tail)
            return (start, last + len(closing or "")), closing is not None
        # Calls go on after the name that is marked: to the last token of the turn's rendering.
        same = _same(tail, after)
        ends = [match.end() for match in self._token.finditer(tail) if match.end() <= same]
        if ends and not tail[ends[-1] :].strip():
            return (start, last + ends[-1]), True
        if same < len(tail):
            raise turn.refused("the end of its tool call can't be told")
        return (start, last + len(tail.rstrip())), False

    def _start(self, turn: _Turn, floor: int, first: int) -> int:
        """Where the turn that has its words at `first` begins: after the prompt that asks for it."""
        if turn.prompt is not None and turn.text.startswith(turn.prompt) and len(turn.prompt) <= first:
            return self._past_prompt(turn, turn.prompt)
        lead = turn.lead(floor)
        if lead is not None:
            place, header = lead
            same = self._whole_tokens(header, _same(header, turn.text[place:first]))
            if same or not header:
                return place + same
        header = self._probe.header if self._probe else ""
        place = turn.text.rfind(header, floor, first)
        if header and place >= 0:
            return place + len(header)
        # The prompt may go on where the turn does not (to make the model think): then the turn's header is its front.
        fronts = (length for length in range(len(header), 0, -1) if turn.text.endswith(header[:length], floor, first))
        front = next(fronts, 0)
        if not front or self._whole_tokens(header, front) != front:
            raise turn.refused("its beginning can't be told from what stands before")
        return first

    def _whole_tokens(self, header: str, length: int) -> int:
        """`length`, or less when that would cut through one of the header's added tokens."""
        cut = (match.start() for match in self._token.finditer(header) if match.start() < length < match.end())
        return next(cut, length)


@dataclass(frozen=True)
class _Probe:
    """What a template does around an answer.

    Attributes:
        prompted: whether the answer begins right where the prompt ends.
        header: what it writes to ask for an answer.
        tail: all that follows the words of a last answer.
        last, between: the part of what follows that closes the answer, at the end and before another turn.
    """

    prompted: bool
    header: str
    tail: str
    last: str
    between: str


class _Turn:
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
        words = self.text[len(before) : len(self.text) - len(after)]
        if (
            not self.text.startswith(before)
            or not self.text.endswith(after)
            or len(before) + len(after) > len(self.text)
        ):
            raise self.refused("the template writes it differently depending on its words")
        return len(before), len(before) + len(words)

    def tail(self) -> str:
        """What follows the words of this turn when the conversation ends with it."""
        return self._around(self.messages[: self.number + 1], self.number)[1]

    def lead(self, floor: int) -> tuple[int, str] | None:
        """Where the message before ends in `text`, and what follows it when this turn is asked for."""
        if not self.number or not self.messages[self.number - 1].get("content"):
            return None
        try:
            before, after = self._around(self.messages, self.number - 1)
            _, header = self._around(self.messages[: self.number], self.number - 1, True)
        except BadInput:
            return None
        place = len(self.text) - len(after)
        return (
            (place, header) if place >= floor and self.text.endswith(after) and self.text.startswith(before) else None
        )

    def _around(self, messages: list[Message], number: int, prompt: bool = False) -> tuple[str, str]:
        """What stands before and after the words of a message in the rendering of `messages`."""
        mark = MARK
        while mark in self.text:
            mark += MARK
        marked = [*messages[:number], _with_mark(messages[number], mark), *messages[number + 1 :]]
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
        return BadInput(
            f"Answer {self.number + 1} of this conversation can't be found in what the model's template makes of it.",
            f"For this message, {why}.",
            "Change or leave out the row, or choose another template with `--template`.",
        )


def _with_mark(message: Message, mark: str) -> Message:
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


def _same(one: str, other: str) -> int:
    """How many characters both begin with."""
    if other.startswith(one):
        return len(one)
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _check(turn: _Turn, start: int, end: int, floor: int) -> None:
    """The last word on every answer: it stands in order, and what is to be learned has the row's own words in it."""
    learned = turn.text[start:end]
    content = turn.message.get("content") or ""
    words = (content.strip(), content.rpartition(THOUGHT)[2].strip())
    names = [call["function"]["name"] for call in turn.message.get("tool_calls") or ()]
    if start < floor or end < start:
        raise turn.refused("the template writes the turns in another order")
    if not any(part in learned for part in words):
        raise turn.refused("the template does not write it as it is")
    if not all(name in learned for name in names):
        raise turn.refused("the template leaves out its tool call")
