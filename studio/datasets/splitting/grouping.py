"""Groups: rows that tell too much about each other to stand on two sides of a split.

Rows are tied when they ask the same question, are near-duplicates, come from one document or one conversation, share
the value of a column that was named (a patient, a customer), or when a model wrote one of them after the other. Ties
chain: whoever is tied to either is in the group (disjoint sets, Tarjan 1975).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from studio.datasets.additions import PARENTS, SYNTHETIC
from studio.datasets.likeness import SAMPLE, Likeness, common_among, wording
from studio.datasets.reviewing.changes import Change
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row, Turn, compact, origin_of
from studio.datasets.splitting.sides import PLACES
from studio.datasets.store import Dataset
from studio.settings.splitting import SplitSettings

DOCUMENT = ("document", "document_id", "doc_id")
CONVERSATION = ("conversation_id", "conversation", "dialogue_id", "dialog_id", "thread_id", "thread", "session_id")
# Why rows are tied; one bit each.
WHY = ("question", "near", "document", "conversation", "column", "parent")
BIT = {name: 1 << place for place, name in enumerate(WHY)}
WORDS = {
    "question": "the same question",
    "near": "nearly the same text",
    "document": "the same document",
    "conversation": "the same conversation",
    "column": "the same value of a column",
    "parent": "written by a model after another",
}
BATCH = 2000

Watch = Callable[[int, int, str], None]


@dataclass
class Groups:
    """The rows of a version with their pending changes made, and which of them belong together.

    Args:
        ids: the row ids, excluded rows left out.
        sides: of each row its side, as a place in SIDES.
        parent: of each row a row of its group nearer to the group's first one (a forest).
        why: of each row the bits of its ties.
        synthetic: rows that a model wrote; they are only ever trained on.
        values: by name of a column the value each row has in it, None for none.
        alike: how many `rows` in how many `groups` are nearly alike, whatever else ties them.
    """

    ids: list[str] = field(default_factory=list)
    sides: bytearray = field(default_factory=bytearray)
    parent: list[int] = field(default_factory=list)
    why: bytearray = field(default_factory=bytearray)
    synthetic: set[int] = field(default_factory=set)
    values: dict[str, list[str | None]] = field(default_factory=dict)
    alike: dict[str, int] = field(default_factory=lambda: {"rows": 0, "groups": 0})

    def root(self, row: int) -> int:
        """The first row of a row's group."""
        parent = self.parent
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    def tie(self, one: int, other: int, why: str) -> None:
        """Puts two rows, and all that are tied to either, into one group."""
        self.why[one] |= BIT[why]
        self.why[other] |= BIT[why]
        first, second = self.root(one), self.root(other)
        self.parent[max(first, second)] = min(first, second)

    def members(self) -> dict[int, list[int]]:
        """The rows of each group, by its first row, in the order of the version."""
        found: dict[int, list[int]] = {}
        for row in range(len(self.ids)):
            found.setdefault(self.root(row), []).append(row)
        return found

    def reasons(self, rows: list[int]) -> list[str]:
        """Why these rows of one group are tied, as names in WHY."""
        bits = 0
        for row in rows:
            bits |= self.why[row]
        return [name for name in WHY if bits & BIT[name]]


def value_of(row: Row, column: str) -> str | None:
    """What a row has in a column: its label, a tag, a metadata column or its source file; None for nothing."""
    if column in row.tags:
        found: Any = row.tags[column]
    elif column in row.extra:
        found = row.extra[column]
    else:
        found = {"label": row.label, "source_file": row.source_file}.get(column)
    if found is None:
        return None
    text = (found if isinstance(found, str) else compact(found)).strip()
    return text or None


def text_of(row: Row) -> str:
    """All that is said in a row but the system prompt, which many rows share."""
    if row.kind == "text":
        return row.text or ""
    turns = [*_spoken(row), *(row.chosen or [])]
    return "\n".join(str(turn.get("content") or "") for turn in turns)


def current_rows(dataset: Dataset) -> Iterator[Row]:
    """The rows of the latest version as its pending changes make them, excluded ones left out."""
    return current(dataset.rows(), Reviews(dataset).pending())


def current(rows: Iterable[Row], changes: Mapping[str, Change]) -> Iterator[Row]:
    """Rows as the changes by their ids make them, excluded ones left out."""
    for row in rows:
        change = changes.get(row.row_id)
        if change is None:
            yield row
        elif not change.excluded:
            yield change.applied(row)


def group(dataset: Dataset, settings: SplitSettings, watch: Watch, columns: tuple[str, ...] = ()) -> Groups:
    """Which rows of the latest version, with its pending changes, belong together; see `grouped`."""
    total = int(dataset.version_info()["rows"])
    sample = dataset.spread(None, SAMPLE) if settings.near else ()
    return grouped(current_rows(dataset), total, sample, settings, watch, columns)


def grouped(
    rows: Iterable[Row],
    total: int,
    sample: Iterable[Row],
    settings: SplitSettings,
    watch: Watch,
    columns: tuple[str, ...] = (),
) -> Groups:
    """Which of these rows belong together.

    Args:
        total: how many rows there are, about.
        sample: some of them, from which is told what all rows of one origin share.
        settings: what is kept on one side.
        watch: called now and then with rows done, rows in all, and what is being done; may raise to stop.
        columns: whose values are wanted beside.
    """
    gatherer = _Gatherer(settings, columns)
    if settings.near:
        watch(0, total, "looking for what all rows share")
        gatherer.likeness = Likeness(settings.likeness, common_among(sample))
    for number, row in enumerate(rows):
        if number % BATCH == 0:
            watch(number, total, "reading rows")
            gatherer.flush()
        gatherer.take(row)
    gatherer.flush()
    watch(total, total, "looking for near-duplicates" if settings.near else "looking for what belongs together")
    return gatherer.finish()


class _Gatherer:
    """Takes rows one by one and ties them by what they have in common."""

    def __init__(self, settings: SplitSettings, columns: tuple[str, ...]) -> None:
        self.settings = settings
        self.groups = Groups(values={column: [] for column in columns})
        self.keep = list(dict.fromkeys(settings.keep))
        if settings.by == "group" and settings.column and settings.column not in self.keep:
            self.keep.append(settings.column)
        self.likeness: Likeness | None = None
        self.first: dict[bytes, int] = {}
        self.beginnings: list[tuple[bytes, int]] = []
        self.children: dict[str, list[int]] = {}  # by the id of what they were written after
        self.texts: list[tuple[int, str]] = []

    def take(self, row: Row) -> None:
        groups, number = self.groups, len(self.groups.ids)
        groups.ids.append(row.row_id)
        groups.sides.append(PLACES[row.split])
        groups.parent.append(number)
        groups.why.append(0)
        for column, values in groups.values.items():
            values.append(value_of(row, column))
        for why, key in self._keys(row):
            first = self.first.setdefault(key, number)
            if first != number:
                groups.tie(first, number, why)
        if self.settings.conversations:
            self.beginnings += [(key, number) for key in _beginnings(row)]
        if SYNTHETIC in row.tags:
            groups.synthetic.add(number)
            for parent in row.extra.get(PARENTS) or ():
                self.children.setdefault(str(parent), []).append(number)
        if self.likeness is not None:
            self.texts.append((number, wording(row)))

    def _keys(self, row: Row) -> Iterator[tuple[str, bytes]]:
        """What a row shares with those of its group."""
        if self.settings.questions and (asked := _question(row)):
            yield "question", _hash("question", asked)
        if self.settings.conversations and row.kind == "chat":
            yield "conversation", _hash("conversation", [_said(turn) for turn in _spoken(row)])
        for why, names, wanted in (
            ("document", DOCUMENT, self.settings.documents),
            ("conversation", CONVERSATION, self.settings.conversations),
        ):
            if not wanted:
                continue
            found = next((value for name in names if (value := value_of(row, name))), None)
            if found:  # a mere number tells something within its own dataset only
                yield why, _hash(why, [origin_of(row), found] if found.isdigit() else found)
        for column in self.keep:
            if found := value_of(row, column):
                yield "column", _hash("column", [column, found])

    def flush(self) -> None:
        if self.likeness is not None:
            self.likeness.add(self.texts)
            self.texts = []

    def finish(self) -> Groups:
        for key, number in self.beginnings:
            if (first := self.first.get(key)) is not None:
                self.groups.tie(first, number, "conversation")
        for number, row_id in enumerate(self.groups.ids if self.children else ()):
            for child in self.children.get(row_id, ()):
                self.groups.tie(number, child, "parent")
        near = self.likeness.groups() if self.likeness else []
        for first, *others in near:
            for other in others:
                self.groups.tie(first, other, "near")
        self.groups.alike = {"rows": sum(map(len, near)), "groups": len(near)}
        return self.groups


def _spoken(row: Row) -> list[Turn]:
    return [turn for turn in row.messages or [] if turn.get("role") != "system"]


def _said(turn: Turn) -> list[str]:
    return [str(turn.get("role")), " ".join(str(turn.get("content") or "").split())]


def _question(row: Row) -> list[Any]:
    """All that is asked before the answer; of raw text the text itself."""
    if row.kind == "text":
        return [" ".join((row.text or "").split())]
    turns = row.messages or []
    if row.kind in ("chat", "feedback"):
        turns = turns[:-1]
    return [_said(turn) for turn in turns] if any(turn.get("role") != "system" for turn in turns) else []


def _beginnings(row: Row) -> Iterator[bytes]:
    """The shorter conversations that a conversation goes on from."""
    said: list[list[str]] = []
    turns = _spoken(row)
    for turn in turns[:-1]:
        said.append(_said(turn))
        if turn.get("role") == "assistant":
            yield _hash("conversation", said)


def _hash(why: str, value: Any) -> bytes:
    return blake2b(compact([why, value]).encode("utf-8", "replace"), digest_size=12).digest()
