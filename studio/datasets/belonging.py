"""Which rows of an import belong on one side of the split: equal ones, and those cut from one document."""

from __future__ import annotations

from array import array
from collections import Counter
from hashlib import blake2b

from studio.datasets.rows import Side
from studio.datasets.split import SIDES, assign
from studio.datasets.stratify import Mix

PLACES = {side: place for place, side in enumerate(SIDES)}
# Labels are kept in balance where there are so few of them; a draw of more rows is in balance by itself.
MOST_LABELS, MOST_BALANCED = 100, 100_000
# With fewer documents than this a side would stay empty: then the parts of a document are drawn, not the whole.
FEWEST = 3


class Belonging:
    """What the rows taken so far belong to. Sides are given as places in SIDES."""

    def __init__(self) -> None:
        self.groups = array("q")
        self.parts = array("q")
        self.numbers: dict[tuple[str, int], int] = {}  # (document, part) -> number
        self.labels: dict[int, str] = {}  # group -> label, as long as they may be kept in balance
        self.names: set[str] = set()
        self.fixed_groups: dict[int, int] = {}
        self.fixed_documents: dict[str, int] = {}

    def add(self, group: int, document: str, part: int, label: str | None = None) -> None:
        """A row: the number of its group of equal rows, where it was cut from, if it was, and its label, if any."""
        self.groups.append(group)
        if label is not None and len(self.names) <= MOST_LABELS and len(self.labels) <= MOST_BALANCED:
            self.labels[group] = label
            self.names.add(label)
        if document:
            self.parts.append(self.numbers.setdefault((document, part), len(self.numbers)))

    def draw(self, digests: list[bytes], sizes: list[int], fractions: dict[Side, float], seed: int) -> array[int]:
        """The side of each row; `digests` and `sizes` are those of the groups."""
        if len(self.parts) == len(self.groups) and self.groups:
            return self._draw_documents(digests, fractions, seed)
        fixed = self.fixed_groups
        free = [number for number in range(len(digests)) if number not in fixed and sizes[number]] if fixed else None
        if free is None:
            drawn = [PLACES[side] for side in assign(digests, sizes, fractions, seed, self._strata(sizes))]
            return array("b", [drawn[group] for group in self.groups])
        sides = assign([digests[group] for group in free], [sizes[group] for group in free], fractions, seed)
        places = fixed | {group: PLACES[side] for group, side in zip(free, sides, strict=True)}
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
