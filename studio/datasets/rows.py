"""Rows: one training example with an id that stays, as Python and as the Parquet of a version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from studio.errors import BadInput
from studio.logs import plain

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

Kind = Literal["chat", "preference", "feedback", "text", "label"]
Side = Literal["train", "validation", "test"]
Turn = dict[str, Any]
HASH_BYTES = 10
ORIGIN = "mixed_from"  # the field of `extra` that says where a row of a mixture came from

SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("kind", pa.string()),
        ("messages", pa.string()),
        ("tools", pa.string()),
        ("chosen", pa.string()),
        ("rejected", pa.string()),
        ("label", pa.string()),
        ("text", pa.string()),
        ("split", pa.string()),
        ("tags", pa.string()),
        ("source_file", pa.string()),
        ("source_line", pa.int64()),
        ("extra", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a version.

    Args:
        messages: chat: the conversation, ending with an assistant turn; preference and label: the prompt's turns;
            feedback: the prompt's turns and the judged answer; None for text.
        tools: function schemas in OpenAI's form.
        chosen, rejected: the turns of the better and the worse answer (preference).
        label: the label to learn (label), or "true" or "false" (feedback).
        tags: name → text, as domain, tone, task.
        source_line: line of the source file, or row for files without lines; counted from 1.
        extra: the metadata columns as they came.
    """

    row_id: str
    kind: Kind
    messages: list[Turn] | None = None
    tools: list[dict[str, Any]] | None = None
    chosen: list[Turn] | None = None
    rejected: list[Turn] | None = None
    label: str | None = None
    text: str | None = None
    split: Side = "train"
    tags: dict[str, str] = field(default_factory=dict)
    source_file: str = ""
    source_line: int = 0
    extra: dict[str, Any] = field(default_factory=dict)

    def conversation(self) -> list[Turn]:
        """The turns that supervised fine-tuning learns from.

        Raises:
            BadInput: raw text, or an answer judged bad: there is no answer to learn.
        """
        turns = self.messages or []
        if self.kind == "chat" or (self.kind == "feedback" and self.label == "true"):
            return turns
        if self.kind == "label":
            return [*turns, {"role": "assistant", "content": self.label or ""}]
        if self.kind == "preference":
            return [*turns, *(self.chosen or [])]
        cause = "it is raw text" if self.kind == "text" else "its answer was judged bad"
        raise BadInput(
            f"Row {self.row_id} has no answer to learn.",
            f"For learning answers it can't be used: {cause}.",
            "Choose continued pretraining for raw text, or leave such rows out.",
        )

    def record(self) -> dict[str, Any]:
        """The row in OpenAI's form: `messages` (and `chosen`, `rejected` or `label`), or `text`; `tools` where it has
        some."""
        made: dict[str, Any]
        if self.kind == "text":
            made = {"text": self.text}
        elif self.kind == "preference":
            made = {"messages": self.messages, "chosen": self.chosen, "rejected": self.rejected}
        elif self.kind == "feedback":
            made = {"messages": self.messages, "label": self.label == "true"}
        else:
            made = {"messages": self.conversation()}
        return made | ({"tools": self.tools} if self.tools else {})


def origin_of(row: Row) -> str:
    """The dataset that a row of a mixture came from, "" for any other row."""
    found = row.extra.get(ORIGIN)
    return str(found.get("dataset", "")) if isinstance(found, dict) else ""


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str).encode


def compact(value: Any) -> str:
    """`value` as JSON in one line; NaN becomes null, dates and the like their text."""
    try:
        return _encode(value)
    except ValueError:
        return _encode(plain(value))


def from_columns(values: AnyMapping[str, Any]) -> Row:
    """A row out of the columns of SCHEMA."""
    return Row(
        row_id=values["row_id"],
        kind=values["kind"],
        messages=_parsed(values["messages"]),
        tools=_parsed(values["tools"]),
        chosen=_parsed(values["chosen"]),
        rejected=_parsed(values["rejected"]),
        label=values["label"],
        text=values["text"],
        split=values["split"],
        tags=_parsed(values["tags"]) or {},
        source_file=values["source_file"],
        source_line=values["source_line"],
        extra=_parsed(values["extra"]) or {},
    )


def batches(file: ParquetFile, rows: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """A version's rows, at most so many at once, and never those of two row groups: these are written by their size
    (versions/writer.py), so of long rows a few are held, however many short ones would be."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(batch_size=rows, row_groups=[group], columns=columns)


PARSED = ("messages", "tools", "chosen", "rejected", "tags", "extra")


def to_columns(row: Row) -> dict[str, Any]:
    """A row as the columns of SCHEMA."""
    values = {name: getattr(row, name) for name in SCHEMA.names}
    for name in PARSED:
        values[name] = compact(values[name]) if values[name] else None
    return values | {"tags": values["tags"] or "{}", "extra": values["extra"] or "{}"}


def _parsed(text: str | None) -> Any:
    return json.loads(text) if text else None


def content_hash(learned: list[Any]) -> bytes:
    """The hash of what is learned from a row: blake2b, 10 bytes, over its compact JSON.

    Args:
        learned: [[role, values], …] as `drafts.Draft.learned` gives it: for roles filled from columns the values of
            the columns used, in the order of their names; for conversations their turns. Templates, the set's
            system prompt and metadata are not in it, so changing them keeps the ids.
    """
    return blake2b(compact(learned).encode(), digest_size=HASH_BYTES).digest()


def row_id(digest: bytes, ordinal: int) -> str:
    """`3f2a…` for the first row with that content, `3f2a…-2` for the second, and so on."""
    return digest.hex() if ordinal == 1 else f"{digest.hex()}-{ordinal}"


def key_id(key: str) -> str:
    """The id of a row that its user named by a key: the same whatever else changes in the row."""
    return "k" + blake2b(key.encode(), digest_size=HASH_BYTES).hexdigest()
