"""Tags by rule, from a column, or by hand on many rows at once: shown first, then made as one batch of reviews."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from studio.datasets.additions import SYNTHETIC
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row
from studio.datasets.splitting.grouping import Watch, current_rows, value_of
from studio.datasets.store import Dataset
from studio.errors import BadInput, Refused
from studio.settings.tagging import LONGEST, TagSettings

EXAMPLES = 8
BATCH = 2000
AROUND = 50  # letters shown before and behind what was found
MOST_VALUES = 200

Found = dict[str, Any]
Finder = Callable[[list[str]], list[bool]]


@dataclass
class Hits:
    """What a rule finds.

    Args:
        tags: row id → what the tag would say, of the rows that don't say it yet.
        already: how many rows say it already.
        values: how many rows get which value.
        examples: a few of the rows: `id`, `value`, `before`, the words `found`, and `after`.
    """

    tags: dict[str, str] = field(default_factory=dict)
    already: int = 0
    values: Counter[str] = field(default_factory=Counter)
    examples: list[Found] = field(default_factory=list)

    def take(self, row: Row, tag: str, value: str, text: str, at: re.Match[str] | None) -> None:
        if row.tags.get(tag) == value:
            self.already += 1
            return
        self.tags[row.row_id] = value
        self.values[value] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append({"id": row.row_id, "value": value, **_excerpt(text, at)})

    def as_dict(self) -> Found:
        return {
            "count": len(self.tags),
            "already": self.already,
            "values": dict(self.values.most_common(12)),
            "examples": self.examples,
        }


def look(dataset: Dataset, settings: TagSettings, watch: Watch = lambda *_: None) -> Hits:
    """The rows that a rule would tag, with pending changes made.

    Args:
        watch: called now and then with rows done, rows in all, and what is being done; may raise to stop.

    Raises:
        BadInput: a pattern that can't be read, a column that no row has, or one with too many values for a tag.
    """
    hits = Hits()
    read = _watched(dataset, watch)
    if settings.rows:
        wanted = set(settings.rows)
        for row in read:
            if row.row_id in wanted:
                hits.take(row, settings.tag, settings.value or "", _text(row, settings), None)
        return hits
    if settings.from_column:
        for row in read:
            if value := value_of(row, settings.from_column):
                _check_length(value, settings.from_column)
                hits.take(row, settings.tag, value, f"{settings.from_column}: {value}", None)
        _check_values(hits, settings.from_column)
        return hits
    words = None if settings.pattern else _words(settings.find)
    matches = _patterns(settings.find) if words is None else _searcher(words)
    for rows in _batches(read):
        texts = [_text(row, settings) for row in rows]
        for row, text, found in zip(rows, texts, matches(texts), strict=True):
            if found:
                hits.take(row, settings.tag, settings.value or "", text, words.search(text) if words else None)
    return hits


def apply(dataset: Dataset, tag: str, tags: dict[str, str | None], by: str = "") -> int:
    """Tags rows as one batch that one undo takes back; returns its number.

    Args:
        tags: row id → what the tag shall say, None to take it away.

    Raises:
        Refused: there are no such rows, or the tag is one that the studio gives.
    """
    if tag == SYNTHETIC:
        raise Refused(
            f"“{SYNTHETIC}” can't be given by hand.",
            "It says that a model wrote a row, and keeps such rows out of what is held out.",
            "Choose another name for the tag.",
        )
    if not tags:
        raise Refused("Nothing was tagged.", "No row matches that does not have the tag already.", "Look for others.")
    alike: dict[str | None, list[str]] = {}
    for row, text in tags.items():
        alike.setdefault(text, []).append(row)
    deeds = [{"type": "tag", "rows": rows, "tags": {tag: text}} for text, rows in alike.items()]
    return Reviews(dataset).apply(deeds, by=by, why=f"tag {tag}")


def _check_length(value: str, column: str) -> None:
    if len(value) > LONGEST:
        raise BadInput(
            f"“{column}” does not make a tag.",
            f"“{value[:40]}…” in it has {len(value):,} characters; a tag has room for {LONGEST:,}.",
            "Choose another column, or give tags by words.",
            field="from_column",
        )


def _check_values(hits: Hits, column: str) -> None:
    if not hits.tags and not hits.already:
        raise BadInput(
            f"No row has anything in “{column}”.",
            "It is neither a column of the file that came along, nor a tag, nor the label.",
            "Choose another column; the columns of a row are shown with the row.",
            field="from_column",
        )
    if len(hits.values) > MOST_VALUES:
        raise BadInput(
            f"“{column}” does not make a tag.",
            f"It has {len(hits.values):,} different values; a tag has some dozens at most.",
            "Choose another column, or give tags by words.",
            field="from_column",
        )


def _text(row: Row, settings: TagSettings) -> str:
    """The part of a row in which the words must stand."""
    if settings.where == "column":
        return value_of(row, settings.column or "") or ""
    turns = row.messages or []
    prompt = [turn for turn in turns if turn.get("role") not in ("assistant", "tool", "system")]
    answer = [turn for turn in turns if turn.get("role") == "assistant"]
    answer += row.chosen or []
    if settings.where == "prompt":
        return _joined(prompt) or (row.text or "")
    answered = _joined(answer) + (f"\n{row.label}" if row.kind == "label" else "")
    if settings.where == "answer":
        return answered
    return "\n".join(part for part in (_joined(prompt), answered, row.text or "") if part)


def _joined(turns: Iterable[Found]) -> str:
    return "\n".join(str(turn.get("content") or "") for turn in turns)


def _words(words: list[str]) -> re.Pattern[str]:
    """Any of these words, in any case, not inside another word."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)


def _searcher(words: re.Pattern[str]) -> Finder:
    return lambda texts: [words.search(text) is not None for text in texts]


def _patterns(patterns: list[str]) -> Finder:
    """Any of these regular expressions, as RE2 reads them: in time that grows with the text only, whatever they are."""

    def find(texts: list[str]) -> list[bool]:
        column = pa.array(texts, pa.string())
        found = [pc.match_substring_regex(column, pattern, ignore_case=True).to_pylist() for pattern in patterns]
        return [any(each) for each in zip(*found, strict=True)]

    try:
        find([""])
    except pa.ArrowInvalid as error:
        raise BadInput(
            "This pattern can't be read.",
            str(error).splitlines()[0].removeprefix("Invalid regular expression: ")[:200],
            "Correct it, or look for words instead.",
            field="find",
        ) from None
    return find


def _watched(dataset: Dataset, watch: Watch) -> Iterator[Row]:
    total = int(dataset.version_info()["rows"])
    for number, row in enumerate(current_rows(dataset)):
        if number % BATCH == 0:
            watch(number, total, "reading rows")
        yield row


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _excerpt(text: str, at: re.Match[str] | None) -> Found:
    """What was found with some words around it, in one line; the beginning where it is not known where."""
    if at is None:
        return {"before": " ".join(text.split())[: 2 * AROUND], "found": "", "after": ""}
    before, after = text[: at.start()], text[at.end() :]
    return {
        "before": ("…" if len(before) > AROUND else "") + re.sub(r"\s+", " ", before[-AROUND:]),
        "found": at[0],
        "after": re.sub(r"\s+", " ", after[:AROUND]) + ("…" if len(after) > AROUND else ""),
    }
