"""The inner loop of an import: each record is a row with an id, or bad with a reason."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from studio.datasets.importing.belonging import FEWEST, Belonging, mark_of
from studio.datasets.importing.digests import Digests
from studio.datasets.importing.drafts import Draft, Drafter
from studio.datasets.importing.standing import Standing
from studio.datasets.importing.turns import BadRow
from studio.datasets.reading.records import Record
from studio.datasets.rows import HASH_BYTES, Side, compact, content_hash, key_id, row_id
from studio.datasets.splitting.sides import PLACES, side_of
from studio.errors import BadInput
from studio.wording import count

KEPT = 1000
NEW_WORDS = "to take the new words, import the whole file again without --append"
SHOWN = 5
CONTENT_ID = re.compile(r"[0-9a-f]{20}(?:-\d{1,9})?")


class BadRecord(NamedTuple):
    """A record that can't be used: its line or row, why, and in which of several files; line 0 is a whole file."""

    line: int
    reason: str
    file: str = ""

    @property
    def place(self) -> str:
        if not self.line:
            return self.file
        return f"{self.line:,} of {self.file}" if self.file else f"{self.line:,}"

    def as_dict(self) -> dict[str, Any]:
        """`line`, `reason`, and `file` where there are several."""
        return {"line": self.line, "reason": self.reason} | ({"file": self.file} if self.file else {})


class BadRows(BadInput):
    """Rows that can't be used, and nobody consented to leaving them out."""

    def __init__(self, what: str, why: str, next: str, count: int, bad: list[BadRecord]) -> None:  # noqa: A002
        super().__init__(what, why, next, field="skip_bad")
        self.count = count
        self.bad = bad

    def as_dict(self) -> dict[str, Any]:
        return super().as_dict() | {"bad_rows": self.count, "bad": [item.as_dict() for item in self.bad]}


def draft_of(record: Record, drafter: Drafter) -> tuple[Draft, bytes]:
    """What a record teaches, and the hash of it. Raises BadRow."""
    if record.values is None:
        raise BadRow(record.problem)
    draft = drafter.draft(record.values)
    return draft, content_hash(draft.learned)


class Known(Exception):
    """The row is there already."""


class Dismissed(Exception):
    """Somebody decided that the row is to be left out."""


class Ids:
    """Gives the rows of one version their ids, and counts equal rows in groups."""

    def __init__(self) -> None:
        self.groups = Digests(HASH_BYTES)
        self.sizes = array("I")  # how many rows each group has
        self.keys = Digests(HASH_BYTES)
        self.lines = array("q")  # where each key was met
        self.carried = 0  # so many groups, the first, were in an older version
        self.others = Digests(HASH_BYTES)  # carried ids that are made from no content
        self.dismissed: set[str] = set()  # ids of rows that reviews left out

    def carry(self, row: str) -> str:
        """The id for a row of another version: its own, or a further one where that is taken."""
        base, _, number = row.partition("-")
        if not CONTENT_ID.fullmatch(row):
            row = self._other(row)
            self.others.add(_mark_of_id(row))
            return row
        digest = bytes.fromhex(base)
        group = self._group(digest)
        self.carried = len(self.groups)
        if int(number or 1) <= self.sizes[group]:
            self.sizes[group] += 1
            return row_id(digest, self.sizes[group])
        self.sizes[group] = int(number or 1)
        return row

    def _other(self, row: str) -> str:
        ordinal = 1
        found = row
        while self._has(found):
            ordinal += 1
            found = f"{row}-{ordinal}"
        return found

    def _group(self, digest: bytes) -> int:
        group = self.groups.add(digest)
        if group == len(self.sizes):
            self.sizes.append(0)
        return group

    def give(self, digest: bytes, key: str | None, line: int, again: bool = True) -> tuple[str, int]:
        """(row id, number of its group).

        Raises:
            BadRow: its key was given before.
            Known: without `again`, where an older version has it.
            Dismissed: reviews left it out.
        """
        named = None if key is None else key_id(key)
        taken = named is not None and self._has(named)
        there = taken or (self.carried > 0 and 0 <= self.groups.find(digest) < self.carried)
        if there and not again:
            raise Known
        if self.dismissed and not there and (named or row_id(digest, 1)) in self.dismissed:
            raise Dismissed
        if key is not None and named is not None:
            self._keep(key, named, line, taken)
        group = self._group(digest)
        self.sizes[group] += 1
        while self.dismissed and named is None and row_id(digest, self.sizes[group]) in self.dismissed:
            self.sizes[group] += 1
        return named or row_id(digest, self.sizes[group]), group

    def _keep(self, key: str, named: str, line: int, taken: bool) -> None:
        """Takes a key, which no other row may have then."""
        number = -1 if taken else self.keys.add(_mark_of_id(named))
        if number == len(self.lines):
            self.lines.append(line)
            return
        where = "in the dataset" if taken else f"at {self.lines[number]:,}"
        raise BadRow(f"its key “{key[:60]}” stands {where} already")

    def has_key(self, key: str) -> bool:
        """Whether a row that was carried has the key."""
        return self._has(key_id(key))

    def _has(self, row: str) -> bool:
        return len(self.others) > 0 and self.others.find(_mark_of_id(row)) >= 0


def _mark_of_id(row: str) -> bytes:
    return blake2b(row.encode(), digest_size=HASH_BYTES).digest()


class Writer(Protocol):
    """Where good rows go."""

    def add(self, row_id: str, draft: Draft, line: int, file: str) -> None: ...


class Intake:
    """Takes records one by one; knows at the end the rows, the bad ones, and the side of each row."""

    def __init__(
        self,
        drafter: Drafter,
        writer: Writer,
        unit: str,
        file: str = "",
        *,
        ids: Ids | None = None,
        again: bool = True,
        standing: Standing | None = None,
    ) -> None:
        self.drafter = drafter
        self.writer = writer
        self.unit = unit
        self.file = file
        self.ids = ids or Ids()
        self.again = again
        self.standing = standing  # where the rows of the version before stand, if they stay there
        self.stayed = 0  # rows that version has too
        self.known = 0  # rows left out as an older version has them
        self.reworded = 0  # and those of which it has the key with other words
        self.reworded_at: list[str] = []  # where the first of these stand
        self.dismissed = 0  # rows left out as reviews say so
        self.moved = 0  # rows that are not where their own column says, but where an equal one is
        self.belonging = Belonging()
        self.own_sides = array("b")
        self.bad: list[BadRecord] = []
        self.bad_count = 0
        self.reasons: Counter[str] = Counter()

    @property
    def rows(self) -> int:
        return len(self.belonging.groups)

    def take(self, record: Record) -> None:
        try:
            draft, digest = draft_of(record, self.drafter)
            side = self._own_side(draft.split) if draft.split is not None else None
            row, group = self.ids.give(digest, draft.key, record.line, self.again)
        except BadRow as error:
            self._reject(record.line, str(error), record.file)
            return
        except Known:
            self._leave(record, draft)
            return
        except Dismissed:
            self.dismissed += 1
            return
        self.writer.add(row, draft, record.line, record.file or self.file)
        label = draft.label if draft.kind == "label" else None
        self.belonging.add(group, record.document, record.part, label)
        if len(self.belonging.fixed_marks):
            self.belonging.tie(_mark(draft))
        if side is not None:
            self.own_sides.append(PLACES[side])
        elif self.standing is not None:
            self._stay(self.standing, row, draft)

    def _stay(self, standing: Standing, row: str, draft: Draft) -> None:
        """Leaves the row added last where its words were, as keys may be numbered anew; with other words where its id
        was."""
        place = standing.of_mark(_mark(draft))
        if place < 0:
            place = standing.of_id(row)
        self.stayed += place >= 0
        self.belonging.keep(place)

    def _leave(self, record: Record, draft: Draft) -> None:
        """Counts a row that an older version has, and notes one that says there something else under the same key."""
        there = self.belonging.fixed_marks.find(_mark(draft)) >= 0
        if there or draft.key is None or not self.ids.has_key(draft.key):
            self.known += 1
            return
        self.reworded += 1
        if len(self.reworded_at) < SHOWN:
            self.reworded_at.append(BadRecord(record.line, "", record.file).place)

    def _own_side(self, name: str) -> Side:
        side = side_of(name)
        if side is None:
            raise BadRow(f"its split is “{name[:40]}”, not train, validation or test" if name else "its split is empty")
        return side

    def _reject(self, line: int, reason: str, file: str) -> None:
        self.bad_count += 1
        if len(self.bad) < KEPT:
            self.bad.append(BadRecord(line, reason, file))
        if reason in self.reasons or len(self.reasons) < KEPT:
            self.reasons[reason] += 1

    def refuse(self, file: str, skip_bad: bool) -> None:
        """Raises BadInput when there is nothing to learn, and BadRows when rows are bad and may not be left out."""
        total = self.rows + self.bad_count
        if (self.known or self.reworded or self.dismissed) and not self.rows and not self.bad_count:
            had = f"The dataset has all of its {count(self.known, 'row')} already."
            if self.reworded:
                raise BadInput(
                    f"No row of {file} can be added.",
                    f"{self._told_reworded()}. The others are there already.",
                    f"{NEW_WORDS[:1].upper()}{NEW_WORDS[1:]}.",
                    field="source",
                )
            if self.dismissed:
                had = f"The dataset has {self.known:,} of its rows, and {self.dismissed:,} were left out in Review."
            raise BadInput(
                f"There is nothing new in {file}.",
                had,
                "Choose another file, or take equal rows in again with --keep-equal.",
                field="source",
            )
        if not total:
            raise BadInput(
                f"{file} has no rows.", "It has names of columns at most.", "Add examples to it.", field="source"
            )
        if self.bad_count and (not skip_bad or not self.rows):
            what = f"{self.bad_count:,} of the {total:,} rows of {file} can't be used."
            advice = "Correct them in the file and import it again, or leave them out with --skip-bad."
            if not self.rows:
                what = f"None of the {total:,} rows of {file} can be used."
                advice = "Correct the file, or say which columns are meant with --map ROLE=COLUMN."
            raise BadRows(what, self._summary(), advice, self.bad_count, self.bad)

    def _summary(self) -> str:
        """The most frequent reasons with their first places."""
        parts = []
        for reason, number in self.reasons.most_common(SHOWN):
            found = [item for item in self.bad if item.reason == reason][:SHOWN]
            places = [item.place for item in found]
            if found and not found[0].line:
                parts.append(reason)  # a whole file: the reason names it
            elif number == 1 and places:
                parts.append(f"{self.unit} {places[0]}: {reason}")
            else:
                more = ", …" if number > len(places) else ""
                parts.append(f"{number:,} {self.unit}s ({', '.join(places)}{more}): {reason}")
        rest = self.bad_count - sum(number for _, number in self.reasons.most_common(SHOWN))
        return "; ".join(parts) + (f"; and {rest:,} more with other reasons." if rest else ".")

    def sides(self, fractions: dict[Side, float], seed: int) -> array[int]:
        """Of each row the place of its side in SIDES: as its own column says, else drawn; but where an equal row is
        that was there before."""
        sides = self.own_sides or self.belonging.draw(self.ids.groups, self.ids.sizes, fractions, seed)
        for row, place in zip(self.belonging.tied, self.belonging.tied_sides, strict=True):
            self.moved += bool(self.own_sides) and sides[row] != place
            sides[row] = place
        return sides

    def _told_reworded(self) -> str:
        """How many rows have a key that is taken, where they stand, and what becomes of them."""
        one = self.reworded == 1
        more = ", …" if self.reworded > len(self.reworded_at) else ""
        units = f"{self.unit}{'' if one else 's'} {', '.join(self.reworded_at)}{more}"
        have, stay = ("has", "it stays as it was") if one else ("have", "they stay as they were")
        rows = count(self.reworded, "row")
        return f"{rows} ({units}) {have} an id that is in the dataset already, with other words: {stay} there"

    def notes(self) -> list[str]:
        """What became of rows that the dataset knew before; complete once the sides are given."""
        notes = []
        if self.known:
            were = "was in the dataset already and is" if self.known == 1 else "were in the dataset already and are"
            notes.append(f"{count(self.known, 'row')} {were} not doubled")
        if self.reworded:
            notes.append(f"{self._told_reworded()}; {NEW_WORDS}")
        if self.dismissed:
            were, stay, them = ("was", "stays", "it") if self.dismissed == 1 else ("were", "stay", "them")
            notes.append(
                f"{count(self.dismissed, 'row')} that {were} left out, or discarded in Review, {stay} out; to have "
                f"{them} back, import the file as a new version instead of adding it, and take {them} in there"
            )
        if self.moved:
            are, their = ("is", "its") if self.moved == 1 else ("are", "their")
            rows = count(self.moved, "row")
            notes.append(f"{rows} {are} not on the side {their} column says, but where an equal row is")
        if (few := self.belonging.parted()) and not self.own_sides:
            notes.append(
                f"with {count(few, 'document')} no side can have whole ones, so parts of the same document are trained "
                f"on and held out; to keep each on one side, import {FEWEST} or more together, or split by hand"
            )
        if self.stayed and self.standing is not None:
            stay, they = ("stays", "it") if self.stayed == 1 else ("stay", "they")
            rows = count(self.stayed, "row")
            notes.append(
                f"{rows} {stay} on the side {they} had in version {self.standing.version}; to draw the sides of all "
                "rows anew, give other shares with --split, or another --seed"
            )
        return notes


def _mark(draft: Draft) -> bytes:
    turns = (draft.messages, draft.tools, draft.chosen, draft.rejected)
    return mark_of([*(compact(value) if value else None for value in turns), draft.label, draft.text])
