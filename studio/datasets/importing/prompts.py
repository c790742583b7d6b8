"""What is asked, without what is learned: prompts of rows whose answer is known, and of records that have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.batches.tokenizer import ModelTokenizer
from studio.datasets.importing.drafts import Drafter
from studio.datasets.importing.turns import BadRow, check_order
from studio.datasets.rows import Row, Turn


@dataclass(frozen=True)
class Question:
    """The turns before a row's last answer, and the answer expected to them."""

    row_id: str
    messages: list[Turn]
    tools: list[dict[str, Any]] | None
    expected: str


def question(row: Row, tokenizer: ModelTokenizer) -> Question | None:
    """The question a row asks; None when it has no answer to expect (raw text, an answer judged bad).

    An answer that calls tools or carries reasoning is expected as the template writes it, without special tokens: the
    very text the model was trained to give.

    Raises:
        BadInput: the template refuses the conversation.
    """
    if row.kind == "text" or (row.kind == "feedback" and row.label != "true"):
        return None
    turns = row.conversation()
    if len(turns) < 2 or turns[-1].get("role") != "assistant":
        return None
    last = turns[-1]
    expected = str(last.get("content") or "")
    if set(last) - {"role", "content", "name"}:
        answers = tokenizer.answers(row.tools is not None).find(turns, row.tools, "last")
        start, end = answers.spans[-1]
        expected = tokenizer.decode(tokenizer.encode(answers.text[start:end]))
    return Question(row.row_id, turns[:-1], row.tools, expected) if expected.strip() else None


class Asker(Drafter):
    """Makes prompts of records by the mapping of a dataset; the columns of its answers may be missing."""

    def prompt(self, values: dict[str, Any]) -> tuple[list[Turn], list[dict[str, Any]] | None]:
        """The turns to answer, and the tools. Raises BadRow when a record has nothing to answer."""
        if not {"messages", "user"} & set(self.roles):
            raise BadRow("its dataset has no column for the prompt")
        turns = self._prompt(values, [])
        while turns and turns[-1]["role"] == "assistant":
            turns = turns[:-1]
        check_order(turns, "user")
        return self._with_system(turns, values, []), self._tools(values, [])

    @property
    def asked_columns(self) -> list[str]:
        """The columns a prompt is made of."""
        return [name for role in ("messages", "user") if role in self.roles for name in self.roles[role].columns]
