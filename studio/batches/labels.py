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

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from studio.batches.template import ChatTemplate, Message, Span
from studio.batches.turns import ASKED, MARK, THOUGHT, Tools, Turn, refused
from studio.errors import BadInput

LossOn = Literal["all", "last"]


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
        """The answers to learn: those of all assistant turns, or of the last one, but for turns of weight 0.

        Raises:
            BadInput: the template refuses the conversation, or its answers can't be told apart in what it renders.
        """
        turns = [number for number, message in enumerate(messages) if message.get("role") == "assistant"]
        learned = turns if loss_on == "all" else turns[-1:]
        wanted = [number for number in learned if messages[number].get("weight") != 0]
        if self.template.tracks_answers:
            return self._tracked(messages, tools, wanted)
        text = self.template.render(messages, tools)
        _check_context(text, messages)
        found: list[tuple[Span, bool]] = []
        for number in wanted:
            turn = Turn(self.template, text, messages, tools, number)
            floor = found[-1][0][1] if found else 0
            found.append(self._prefixed(turn) or self._marked(turn, floor))
            start, end = found[-1][0]
            if start < floor or end < start:
                raise turn.refused("the template writes the turns in another order")
            _check_words(messages, number, text[start:end])
        return Answers(text, [span for span, _ in found], sum(not closed for _, closed in found))

    @property
    def end_token(self) -> str | None:
        """The token that closes an answer in this template, None when there is none."""
        closing = self._probe.last.strip() if self._probe else ""
        return closing if self._token.fullmatch(closing) else None

    def _tracked(self, messages: list[Message], tools: Tools, wanted: list[int]) -> Answers:
        text, spans = self.template.render_tracked(messages, tools)
        if len(wanted) < sum(message.get("role") == "assistant" for message in messages):
            spans = [span for number in wanted for span in self._tracked_turn(messages, tools, number, spans)]
        _check_context(text, messages)
        learned = "".join(text[start:end] for start, end in spans)
        for number in wanted:
            _check_words(messages, number, learned)
        return Answers(text, [span for span in spans if span[0] < span[1]], 0)

    def _tracked_turn(self, messages: list[Message], tools: Tools, number: int, spans: list[Span]) -> list[Span]:
        """Those of all spans that one assistant turn has."""
        before = len(self.template.render_tracked(messages[:number], tools)[1])
        return spans[before : len(self.template.render_tracked(messages[: number + 1], tools)[1])]

    # Prefixes

    def _prefixed(self, turn: Turn) -> tuple[Span, bool] | None:
        probe = self._probe
        if probe is None or not probe.prompted:
            return None
        text = turn.text
        content = len(turn.alone) - len(probe.tail)
        closing = probe.last if turn.is_last else probe.between
        if turn.prompt is None or not text.startswith(turn.prompt) or not turn.alone.endswith(probe.tail):
            return None
        start = self._past_header(turn, turn.prompt, len(turn.prompt))
        if content < start:
            return None
        if not text.startswith(turn.alone[:content]) or not text.startswith(closing, content):
            return None
        return (start, content + len(closing)), closing != ""

    def _past_header(self, turn: Turn, prompt: str, place: int) -> int:
        """`place`, where `prompt` ends, or past the header when only the turn itself has it (after tool results)."""
        header = self._probe.header if self._probe else ""
        missing = header and not prompt.endswith(header) and turn.text.startswith(header, place)
        return place + (len(header) if missing else 0)

    @cached_property
    def _probe(self) -> _Probe | None:
        """How this template ends turns, seen on a small conversation; None when it does not take one."""
        asked: list[Message] = [{"role": "user", "content": ASKED}]
        answered = [*asked, {"role": "assistant", "content": MARK}]
        try:
            prompt = self.template.render(asked, None, True)
            unasked = self.template.render(asked)
            last = self.template.render(answered)
            between = self.template.render([*answered, *asked])
        except BadInput:
            return None
        if last.count(MARK) != 1 or between.count(MARK) != 1:
            return None
        before, tail = last.split(MARK)
        return _Probe(
            prompted=before.startswith(prompt),
            header=self._header(*(text.rpartition(ASKED)[2] for text in (prompt, unasked, before))),
            tail=tail,
            last=self._closing(tail, tail) or "",
            between=self._closing(between.split(MARK)[1], tail) or "",
        )

    def _header(self, asked: str, unasked: str, answered: str) -> str:
        """What asks for an answer, out of what follows a question when one is asked for, is not, and is there."""
        if asked != unasked:
            return asked[self._whole_tokens(asked, _same(asked, unasked)) :]
        # It asks for nothing; what it then writes before the answer is a header all the same, but for blanks.
        header = answered[_same(asked, answered) :]
        return header if header.strip() else ""

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

    def _marked(self, turn: Turn, floor: int) -> tuple[Span, bool]:
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

    def _start(self, turn: Turn, floor: int, first: int) -> int:
        """Where the turn that has its words at `first` begins: after the prompt that asks for it."""
        if turn.prompt is not None and turn.text.startswith(turn.prompt) and len(turn.prompt) <= first:
            return self._past_header(turn, turn.prompt, len(turn.prompt))
        lead = turn.lead(floor)
        if lead is not None:
            place, asked, unasked = lead
            same = self._whole_tokens(asked, _same(asked, turn.text[place:first]))
            # The prompt may go on where the turn does not (to make the model think), but both have the header.
            if same == len(asked) or same > _same(asked, unasked):
                return self._past_header(turn, asked, place + same)
        header = self._probe.header if self._probe else ""
        place = turn.text.rfind(header, floor, first)
        if header and place >= 0:
            return place + len(header)
        # The same for a first message, before which nothing stands.
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


def _same(one: str, other: str) -> int:
    """How many characters both begin with."""
    if other.startswith(one):
        return len(one)
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _check_words(messages: list[Message], number: int, learned: str) -> None:
    """The last word on every answer: what is to be learned has the row's own words and calls in it."""
    content = messages[number].get("content") or ""
    if content.strip() not in learned and content.rpartition(THOUGHT)[2].strip() not in learned:
        raise refused(number, "the template does not write it as it is")
    if not all(call["function"]["name"] in learned for call in messages[number].get("tool_calls") or ()):
        raise refused(number, "the template leaves out its tool call")


def _check_context(text: str, messages: list[Message]) -> None:
    """That the template passes on what was asked: some drop roles they do not know without a word."""
    for number, message in enumerate(messages):
        content = message.get("content")
        if message.get("role") == "assistant" or not isinstance(content, str):
            continue
        words = content.strip()
        if words not in text and json.dumps(words, ensure_ascii=False)[1:-1] not in text:
            raise BadInput(
                f"Message {number + 1} of this conversation does not reach the model.",
                f"The model's template leaves out or rewrites what the {message.get('role')} says there.",
                "Change or leave out the row, or choose another template with `--template`.",
            )
