"""A version as a file to take away: JSONL in the form trainers read, or CSV; both stream, and both import again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from studio.datasets.rows import Row, compact
from studio.datasets.store import Dataset

BLOCK = 256 << 10


def jsonl(dataset: Dataset, version: int | None = None) -> Iterator[bytes]:
    """One object a line: `messages` (OpenAI's form), or `messages`, `chosen`, `rejected`, or `messages` and `label`
    (true or false), or `text`; with `tools` where there are some, and `row_id`, `split` and the tags."""
    yield from _blocks(compact(_record(row)) + "\n" for row in dataset.rows(version))


def _record(row: Row) -> dict[str, Any]:
    made: dict[str, Any]
    if row.kind == "text":
        made = {"text": row.text}
    elif row.kind == "preference":
        made = {"messages": row.messages, "chosen": row.chosen, "rejected": row.rejected}
    elif row.kind == "feedback":
        made = {"messages": row.messages, "label": row.label == "true"}
    else:
        made = {"messages": row.conversation()}
    if row.tools:
        made["tools"] = row.tools
    return made | {"row_id": row.row_id, "split": row.split} | row.tags


def table(dataset: Dataset, version: int | None = None) -> Iterator[bytes]:
    """CSV in UTF-8: plain columns where every row has one question and one answer, conversations as JSON elsewhere."""
    plain = all(_is_plain(row) for row in dataset.rows(version))
    tags = sorted({tag for row in dataset.rows(version) for tag in row.tags})
    buffer = io.StringIO()
    writer: Any = None
    yield "\ufeff".encode()  # without it spreadsheet programs take UTF-8 for something else
    for row in dataset.rows(version):
        record = _plain(row) if plain else _as_json(row)
        record |= {"split": row.split, "row_id": row.row_id} | {tag: row.tags.get(tag, "") for tag in tags}
        if writer is None:
            writer = csv.DictWriter(buffer, list(record), lineterminator="\r\n")
            writer.writeheader()
        writer.writerow(record)
        if buffer.tell() >= BLOCK:
            yield _emptied(buffer)
    yield _emptied(buffer)


def _is_plain(row: Row) -> bool:
    """Whether a row is a question (perhaps under a system prompt) and its answers, all of it text."""
    turns = [turn for turn in row.messages or [] if turn["role"] != "system"]
    wanted = ["user", "assistant"] if row.kind in ("chat", "feedback") else ["user"]
    answers = [*(row.chosen or []), *(row.rejected or [])]
    rich = any(set(turn) - {"role", "content"} for turn in [*turns, *answers])
    if row.kind == "text":
        return True
    answered = row.kind != "preference" or (len(row.chosen or []), len(row.rejected or [])) == (1, 1)
    return [turn["role"] for turn in turns] == wanted and answered and not row.tools and not rich


def _plain(row: Row) -> dict[str, Any]:
    if row.kind == "text":
        return {"text": row.text}
    turns = row.messages or []
    system = next((turn["content"] for turn in turns if turn["role"] == "system"), "")
    asked = next(turn["content"] for turn in turns if turn["role"] == "user")
    made = {"system": system, "prompt": asked}
    if row.kind == "preference":
        return made | {"chosen": (row.chosen or [])[0]["content"], "rejected": (row.rejected or [])[0]["content"]}
    if row.kind == "label":
        return {"system": system, "text": asked, "label": row.label}
    return made | {"completion": turns[-1]["content"]} | ({"label": row.label} if row.kind == "feedback" else {})


def _as_json(row: Row) -> dict[str, Any]:
    made = {"messages": compact(row.conversation() if row.kind == "label" else row.messages)}
    if row.kind == "preference":
        made |= {"chosen": compact(row.chosen), "rejected": compact(row.rejected)}
    if row.kind == "feedback":
        made["label"] = str(row.label)
    return made | {"tools": compact(row.tools) if row.tools else ""}


def _blocks(lines: Iterator[str]) -> Iterator[bytes]:
    held: list[str] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= BLOCK:
            yield "".join(held).encode()
            held, size = [], 0
    yield "".join(held).encode()


def _emptied(buffer: io.StringIO) -> bytes:
    data = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return data
