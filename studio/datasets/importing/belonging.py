"""Which rows of an import belong on one side of the split: equal ones, and those cut from one document."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b

from studio.datasets.rows import Side
from studio.datasets.splitting.sides import SIDES, assign
from studio.datasets.splitting.strata import Mix

PLACES = {side: place for place, side in enumerate(SIDES)}
# Labels are kept in balance where there are so few of them; a draw of more rows is in balance by itself.
MOST_LABELS, MOST_BALANCED = 100, 100_000
# With fewer documents than this a side would stay empty: then the parts of a document are drawn, not the whole.
FEWEST = 3
# The columns of a row that say what it teaches; of ids, keys and metadata nothing is in them.
CONTENTS = ("messages", "tools", "chosen", "rejected", "label", "text")


def mark_of(contents: Iterable[str | None]) -> int:
    """A number of 64 bits for the values of CONTENTS: equal rows have the same, whatever their ids are."""
    return int.from_bytes(blake2b("\0".join(text or "" for text in contents).encode(), digest_size=8).digest())


class Belonging:
    """What the rows taken so far belong to. Sides are given as places in SIDES."""

    def __init__(self) -> None:
        self.groups = array("q")
        self.parts = array("q")
        self.numbers: dict[tuple[str, int], int] = {}  # (document, part) -> number
        self.labels: dict[int, str] = {}  # group -> label, as long as they may be kept in balance
        self.names: set[str] = set()
        self.fixed_groups = array("b")  # of the first groups, which were there before
        self.fixed_documents: dict[str, int] = {}
        self.fixed_marks: dict[int, int] = {}  # mark → the row in `fixed_sides` that has it
        self.fixed_sides = array("b")
        self.equal: dict[int, int] = {}  # row → the side of the equal one that was there before

    def add(self, group: int, document: str, part: int, label: str | None = None) -> None:
        """A row: the number of its group of equal rows, where it was cut from, if it was, and its label, if any."""
        self.groups.append(group)
        if label is not None and len(self.names) <= MOST_LABELS and len(self.labels) <= MOST_BALANCED:
            self.labels[group] = label
            self.names.add(label)
        if document:
            self.parts.append(self.numbers.setdefault((document, part), len(self.numbers)))

    def tie(self, mark: int) -> None:
        """Puts the row added last where the one with its mark is, or one of its group, if that was there before."""
        row, group = len(self.groups) - 1, self.groups[-1]
        if mark in self.fixed_marks:
            self.equal[row] = self.fixed_sides[self.fixed_marks[mark]]
        elif group < len(self.fixed_groups):
            self.equal[row] = self.fixed_groups[group]

    def draw(self, digests: list[bytes], sizes: list[int], fractions: dict[Side, float], seed: int) -> array[int]:
        """The side of each row; `digests` and `sizes` are those of the groups."""
        if len(self.parts) == len(self.groups) and self.groups:
            return self._draw_documents(digests, fractions, seed)
        fixed = self.fixed_groups
        if not fixed:
            drawn = [PLACES[side] for side in assign(digests, sizes, fractions, seed, self._strata(sizes))]
            return array("b", [drawn[group] for group in self.groups])
        free = assign(digests[len(fixed) :], sizes[len(fixed) :], fractions, seed)
        places = fixed + array("b", [PLACES[side] for side in free])
        return array("b", [places[group] for group in self.groups])

    def _strata(self, sizes: list[int]) -> list[Mix] | None:
        """How many rows of which label each group has; None where labels are not kept in balance."""
        balanced = len(self.names) <= MOST_LABELS and len(self.labels) == len(sizes) <= MOST_BALANCED
        return [{self.labels[group]: size} for group, size in enumerate(sizes)] if balanced and sizes else None

    def _draw_documents(self, digests: list[bytes], fractions: dict[Side, float], seed: int) -> array[int]:
        """Whole documents, where there are enough; a row equal to one of another document goes where that is."""
        names = list(self.numbers)
        known = {document for document, _ in names} | self.fixed_documents.keys()
        whole = len(known) >= FEWEST
        units = [(name, 0 if whole else part) for name, part in names]
        first: dict[int, tuple[str, int]] = {}
        chosen = [first.setdefault(group, units[part]) for group, part in zip(self.groups, self.parts, strict=True)]
        sizes = Counter(chosen)
        places = {unit: self.fixed_documents[unit[0]] for unit in sizes if unit[0] in self.fixed_documents}
        free = [unit for unit in sizes if unit not in places]
        marks = [blake2b(f"{name}\0{part}".encode(), digest_size=10).digest() for name, part in free]
        sides = assign(marks, [sizes[unit] for unit in free], fractions, seed)
        places |= {unit: PLACES[side] for unit, side in zip(free, sides, strict=True)}
        return array("b", [places[unit] for unit in chosen])
