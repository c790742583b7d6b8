"""A version as a file to take away: JSONL in the form trainers read, or CSV; both stream, and both import again."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from studio.datasets.rows import Row, compact
from studio.datasets.saving.forms import FORMS, Unfit, marks
from studio.datasets.saving.tables import as_text, is_formula
from studio.datasets.spans import MARKED, spans_of
from studio.datasets.store import Dataset
from studio.wording import count

BLOCK = 256 << 10
# The columns of rows as JSON, and the kinds that have something there.
HELD = {
    "messages": {"chat", "label", "preference", "feedback"},
    "chosen": {"preference"},
    "rejected": {"preference"},
    "label": {"feedback"},
    "text": {"text"},
}


def jsonl(dataset: Dataset, version: int | None = None, form: str = "messages") -> Iterator[bytes]:
    """One object a line in one of FORMS, with `row_id`, `split` and the tags; rows that don't fit it are left out."""
    yield from _blocks(compact(record) + "\n" for record in records(dataset.rows(version), form))


def records(rows: Iterable[Row], form: str) -> Iterator[dict[str, Any]]:
    """The rows that fit a form, each as an object."""
    for row in rows:
        try:
            record = FORMS[form](row)
        except Unfit:
            continue
        with suppress(Unfit):
            record = record | marks(row, record)
        made = record | {"row_id": row.row_id, "split": row.split}
        yield made | row.tags | made  # a tag named as a field stands back


@dataclass
class Left:
    """What a form has no place for: how many rows are left out, and of how many others the marked words; and why, of
    the first of each. Of a table how many cells look like formulas, and among how many rows where not in all."""

    rows: int = 0
    why: str = ""
    marks: int = 0
    why_marks: str = ""
    formulas: int = 0
    looked_at: int = 0

    def words(self) -> list[str]:
        """That in sentences."""
        told = [f"{count(self.rows, 'row')} left out; the first because {self.why}."] if self.rows else []
        if self.marks:
            told.append(
                f"The marked words of {count(self.marks, 'row')} stay behind; of the first because {self.why_marks}."
            )
        some = f" in the {count(self.looked_at, 'row')} looked at" if self.looked_at else ""
        if self.formulas:
            told.append(
                f"{count(self.formulas, 'cell')}{some} could be taken for a formula by a spreadsheet program; the text "
                "stands as it is, so that it imports again as the same rows: open it there only if you trust them."
            )
        elif some:
            told.append(
                f"No cell{some} could be taken for a formula by a spreadsheet program, but one in another row may be: "
                "open the file there only if you trust the rows."
            )
        return told


def left(dataset: Dataset, version: int | None, form: str, most: int | None = None) -> Left:
    """What is lost when a version is saved in a form; tables lose nothing, and are looked through for formulas.

    Args:
        most: of a table at most so many rows are looked at, spread over the version; None for all.
    """
    found = Left()
    if form == "csv":
        rows: Callable[[], Iterator[Row]] = partial(dataset.rows, version)
        if most is not None and int(dataset.version_info(version)["rows"]) > most:
            some = dataset.sample(version, most)
            rows, found.looked_at = partial(iter, some), len(some)
        cells = (as_text(value) for record in _lines(rows) for value in record.values())
        found.formulas = sum(map(is_formula, cells))
    for row in dataset.rows(version) if form in FORMS else ():
        try:
            record = FORMS[form](row)
        except Unfit as reason:
            found.rows, found.why = found.rows + 1, found.why or str(reason)
            continue
        try:
            marks(row, record)
        except Unfit as reason:
            found.marks, found.why_marks = found.marks + 1, found.why_marks or str(reason)
    return found


def table(dataset: Dataset, version: int | None = None) -> Iterator[bytes]:
    """CSV in UTF-8: plain columns where every row is of one kind and has one question and one answer, conversations as
    JSON elsewhere.

    Where some rows have marked words, these are a column too, as JSON. Text stands as it is, also where a spreadsheet
    program would take it for a formula: with a sign in front the file would not import again as the same rows.
    """
    buffer = io.StringIO()
    writer: Any = None
    yield "\ufeff".encode()  # without it spreadsheet programs take UTF-8 for something else
    for record in _lines(partial(dataset.rows, version)):
        if writer is None:
            writer = csv.DictWriter(buffer, list(record), lineterminator="\r\n")
            writer.writeheader()
        writer.writerow(record)
        if buffer.tell() >= BLOCK:
            yield _emptied(buffer)
    yield _emptied(buffer)


def _lines(rows: Callable[[], Iterator[Row]]) -> Iterator[dict[str, Any]]:
    """The cells of each line of a table, by their columns. The rows are read twice: first for which columns it has."""
    plain, marked, tags, kinds = _columns(rows())
    wide = {name: "" for name in HELD if kinds & HELD[name]}
    for row in rows():
        record = _plain(row) if plain else wide | _as_json(row)
        if marked:
            spans = spans_of(row)
            record[MARKED] = compact(spans) if spans else ""
        record |= {"split": row.split, "row_id": row.row_id}
        yield record | {tag: row.tags.get(tag, "") for tag in tags if tag not in record}


def _columns(rows: Iterable[Row]) -> tuple[bool, bool, list[str], set[str]]:
    """Whether every row is plain and of one kind, whether any has marked words, the names of all tags, the kinds."""
    plain, marked, tags, kinds = True, False, set[str](), set[str]()
    for row in rows:
        kinds.add(row.kind)
        plain = plain and _is_plain(row)
        marked = marked or bool(spans_of(row))
        tags.update(row.tags)
    return plain and len(kinds) < 2, marked, sorted(tags), kinds


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
    if row.kind == "text":
        return {"text": row.text, "tools": ""}
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
