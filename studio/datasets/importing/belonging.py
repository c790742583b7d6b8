"""Which rows of an import belong on one side of the split: equal ones, and those cut from one document."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from hashlib import blake2b

from studio.datasets.importing.digests import Digests
from studio.datasets.rows import Side
from studio.datasets.splitting.sides import assign
from studio.datasets.splitting.strata import Mix

# Labels are kept in balance where there are so few of them; a draw of more rows is in balance by itself.
MOST_LABELS, MOST_BALANCED = 100, 100_000
# With fewer documents than this a side would stay empty: then the parts of a document are drawn, not the whole.
FEWEST = 3
# The columns of a row that say what it teaches; of ids, keys and metadata nothing is in them.
CONTENTS = ("messages", "tools", "chosen", "rejected", "label", "text")


MARK_BYTES = 8


def mark_of(contents: Iterable[str | None]) -> bytes:
    """A digest of the values of CONTENTS: equal rows have the same, whatever their ids are."""
    return blake2b("\0".join(text or "" for text in contents).encode(), digest_size=MARK_BYTES).digest()


class Belonging:
    """What the rows taken so far belong to. Sides are given as places in SIDES.

    What is kept of a row is a few bytes in arrays: a file may have more rows than memory has room for objects.
    """

    def __init__(self) -> None:
        self.groups = array("I")
        self.homes = array("I")  # of each row the number of the document it was cut from
        self.parts = array("I")  # and of the part
        self.documents: dict[str, int] = {}
        self.labels: dict[int, str] = {}  # group -> label, as long as they may be kept in balance
        self.names: set[str] = set()
        self.fixed_groups = array("b")  # of the first groups, which were there before
        self.fixed_documents: dict[str, int] = {}
        self.fixed_marks = Digests(MARK_BYTES)
        self.fixed_sides = array("b")  # of each of these marks
        self.tied = array("I")  # rows of which an equal one was there before
        self.tied_sides = array("b")  # and its side
        self.kept = array("b")  # of each group the side it had in the version before, -1 for a new one

    def add(self, group: int, document: str, part: int, label: str | None = None) -> None:
        """A row: the number of its group of equal rows, where it was cut from, if it was, and its label, if any."""
        self.groups.append(group)
        if label is not None and len(self.names) <= MOST_LABELS and len(self.labels) <= MOST_BALANCED:
            self.labels[group] = label
            self.names.add(label)
        if document:
            self.homes.append(self.documents.setdefault(document, len(self.documents)))
            self.parts.append(part)

    def keep(self, side: int) -> None:
        """Leaves the row added last, and with it its group, on the side it had; -1 for a row that had none.

        Where one of a group was held out, all are."""
        group = self.groups[-1]
        if group == len(self.kept):
            self.kept.append(side)
        else:
            self.kept[group] = max(self.kept[group], side)

    def tie(self, mark: bytes) -> None:
        """Puts the row added last where the one with its mark is, or one of its group, if that was there before."""
        group, number = self.groups[-1], self.fixed_marks.find(mark)
        if number < 0 and group >= len(self.fixed_groups):
            return
        self.tied.append(len(self.groups) - 1)
        self.tied_sides.append(self.fixed_sides[number] if number >= 0 else self.fixed_groups[group])

    def draw(self, digests: Digests, sizes: array[int], fractions: dict[Side, float], seed: int) -> array[int]:
        """The side of each row; `digests` and `sizes` are those of the groups."""
        if len(self.homes) == len(self.groups) and self.groups:
            return self._draw_documents(len(sizes), fractions, seed)
        if self.kept:
            places = assign(digests, sizes, fractions, seed, self._strata(sizes), self.kept)
            return array("b", (places[group] for group in self.groups))
        fixed = self.fixed_groups
        strata = None if fixed else self._strata(sizes)
        free = memoryview(sizes)[len(fixed) :]  # a slice of the array itself would be a copy of it
        places = fixed + assign(digests.since(len(fixed)), free, fractions, seed, strata)
        return array("b", (places[group] for group in self.groups))

    def _strata(self, sizes: array[int]) -> list[Mix] | None:
        """How many rows of which label each group has; None where labels are not kept in balance."""
        balanced = len(self.names) <= MOST_LABELS and len(self.labels) == len(sizes) <= MOST_BALANCED
        return [{self.labels[group]: size} for group, size in enumerate(sizes)] if balanced and sizes else None

    def _draw_documents(self, groups: int, fractions: dict[Side, float], seed: int) -> array[int]:
        """Whole documents, where there are enough; a row equal to one of another document goes where that is."""
        units, names = self._units()
        first = array("i", [-1]) * groups  # of each group the unit it was met in first
        chosen = array("I")
        sizes = array("I", [0]) * len(names)
        for group, unit in zip(self.groups, units, strict=True):
            if first[group] < 0:
                first[group] = unit
            chosen.append(first[group])
            sizes[first[group]] += 1
        places = array("b", (self.fixed_documents.get(name, -1) for name, _ in names))
        for group, unit in zip(self.groups, chosen, strict=True) if self.kept else ():
            places[unit] = max(places[unit], self.kept[group])
        free = [unit for unit, size in enumerate(sizes) if size and (self.kept or places[unit] < 0)]
        marks = (blake2b(f"{names[unit][0]}\0{names[unit][1]}".encode(), digest_size=10).digest() for unit in free)
        kept = [places[unit] for unit in free] if self.kept else None
        drawn = assign(marks, [sizes[unit] for unit in free], fractions, seed, kept=kept)
        for unit, place in zip(free, drawn, strict=True):
            places[unit] = place
        if not self.kept or not self.parted():  # a document with a part that is held out is held out as a whole
            return array("b", (places[unit] for unit in chosen))
        pairs = zip(self.groups, chosen, strict=True)
        return array("b", (places[unit] if self.kept[group] < 0 else self.kept[group] for group, unit in pairs))

    def parted(self) -> int:
        """How many documents there are, where they are so few that their parts are drawn; 0 where they stay whole."""
        known = self.documents.keys() | self.fixed_documents.keys()
        return len(known) if self.homes and len(self.homes) == len(self.groups) and len(known) < FEWEST else 0

    def _units(self) -> tuple[array[int], list[tuple[str, int]]]:
        """Of each row the unit that is drawn as one, and of each unit its document and part, 0 for a whole one."""
        names = list(self.documents)
        if not self.parted():
            return self.homes, [(name, 0) for name in names]
        numbers: dict[tuple[int, int], int] = {}
        cut = zip(self.homes, self.parts, strict=True)
        units = array("I", (numbers.setdefault(one, len(numbers)) for one in cut))
        return units, [(names[home], part) for home, part in numbers]
