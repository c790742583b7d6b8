"""What goes into an engine and what comes out; importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Finish = Literal["stop", "length", "stopped", "repeats"]


@dataclass(frozen=True)
class Prompt:
    """What waits for an answer.

    messages: a conversation in OpenAI's form; tools: function schemas; text: raw text to go on with, instead of both;
    seed: its own, where it is to be answered otherwise than an equal prompt beside it.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    tools: list[dict[str, Any]] | None = None
    text: str | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Answer:
    """One answer.

    text: without special tokens; tokens: every id made, the one that ended it included; weights: the stamp of what
    made it; finish: `stop` (it ended by itself), `length` (cut off), `stopped` (somebody stopped it) or `repeats` (it
    began to say the same over and over); seconds: from the start of its batch to its last token; prompt_tokens: ids of
    the prompt that were read; cut: ids left out at the prompt's beginning because it did not fit.
    """

    text: str
    tokens: list[int]
    weights: str
    finish: Finish
    seconds: float
    prompt_tokens: int
    cut: int = 0


@dataclass(frozen=True)
class Pair:
    """What base and tuned answered to the same prompt."""

    base: Answer
    tuned: Answer
