"""What a check found: rows of one kind, which row each belongs to, and a few examples with the culprit marked."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from studio.doctor.kinds import KINDS
from studio.doctor.reading import Reading
from studio.wording import count as counted

EXAMPLES = 5
AROUND = 90  # characters shown before and after a culprit
LONGEST = 360
Span = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """A part of a row to be shown: whose it is, its words, and where in them the culprits stand."""

    who: str
    text: str
    marks: list[Span] = field(default_factory=list)


@dataclass
class Example:
    """A row of a finding, by its place in the version; `other` is the row it belongs with, -1 for none."""

    number: int
    other: int
    pieces: list[Piece]


class Found:
    """The rows of one kind of finding, in eight bytes each and a handful of examples.

    Attributes:
        numbers: their places in the version.
        others: for each the place of the row it is a copy of, contradicts or leaks; -1 for none.
        facts: what the words need besides the count.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.numbers = array("i")
        self.others = array("i")
        self.examples: list[Example] = []
        self.facts: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, number: int, other: int = -1, pieces: list[Piece] | None = None) -> None:
        self.numbers.append(number)
        self.others.append(other)
        if len(self.examples) < EXAMPLES:
            self.examples.append(Example(number, other, pieces or []))


class Check(Protocol):
    """One family of findings: looks at every row, then tells what it found."""

    def look(self, reading: Reading) -> None: ...

    def found(self) -> Iterable[Found]: ...


@dataclass(frozen=True)
class Finding:
    """One finding as a report keeps it.

    Args:
        words: how many rows and what about them, one sentence.
        count: rows; their ids are in findings.parquet.
        facts: what the page may draw besides (counts of labels).
        examples: `{"row", "other", "pieces": [{"who", "text", "marks"}]}` of the first rows, `other` an id or None.
    """

    kind: str
    words: str
    count: int
    facts: dict[str, Any]
    examples: list[dict[str, Any]]

    @property
    def title(self) -> str:
        return KINDS[self.kind].title

    def as_dict(self) -> dict[str, Any]:
        about = KINDS[self.kind]
        named = {"title": about.title, "why": about.why, "severity": about.severity, "family": about.family}
        return asdict(self) | named | {"deed": about.deed, "fix": about.fix}


def shown(who: str, text: str, marks: list[Span] | None = None) -> Piece:
    """A text cut to what stands around its first culprit, the marks moved with it."""
    marks = marks or []
    start = max(0, marks[0][0] - AROUND) if marks else 0
    end = min(len(text), max(start + LONGEST, marks[0][1] + AROUND if marks else 0), start + 3 * LONGEST)
    before, after = "…" if start else "", "…" if end < len(text) else ""
    moved = [
        (max(low, start) - start + len(before), min(high, end) - start + len(before))
        for low, high in marks
        if low < end and high > start
    ]
    return Piece(who, before + text[start:end] + after, moved)


def whole(reading: Reading) -> list[Piece]:
    """A row in short: what is asked and what is answered."""
    pieces = [shown("User", reading.prompt)] if reading.prompt else []
    return [*pieces, shown("Text" if reading.row.kind == "text" else "Answer", reading.answer)]


def in_words(found: Found, rows: int) -> str:
    """The sentence under a finding's title."""
    if "words" in found.facts:
        return str(found.facts["words"])
    share = len(found) / max(1, rows)
    part = f", {share:.0%} of all" if share >= 0.01 else ""
    return f"{counted(len(found), 'row')}{part}."
