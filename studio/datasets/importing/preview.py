"""What an import would make of a file: its first rows, and the bad ones as far as was looked; nothing is written."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from studio.datasets.importing.drafts import Draft, Drafter
from studio.datasets.importing.formats import take_for
from studio.datasets.importing.intake import BadRecord, Intake
from studio.datasets.importing.mapping import Guess
from studio.datasets.importing.sources import Source
from studio.datasets.reading.readers import columns_of, sample
from studio.datasets.reading.records import Reading
from studio.datasets.rows import Row
from studio.datasets.splitting.sides import SIDES, side_of

EVERY = 64


@dataclass
class Preview:
    """The first rows as they would be learned; sides are drawn at import only, unless a column names them.

    Attributes:
        bad, bad_count: the first bad records, and how many there are among those looked at.
        checked: how many records were looked at; `whole` when these are all.
        sides: how many of the good ones a split column puts on each side, {} without one.
        side_columns: the columns that may say which side a row is on: each value seen names one.
    """

    guess: Guess
    columns: list[str]
    unit: str
    notes: list[str]
    rows: list[Row] = field(default_factory=list)
    bad: list[BadRecord] = field(default_factory=list)
    bad_count: int = 0
    checked: int = 0
    whole: bool = False
    sides: dict[str, int] = field(default_factory=dict)
    side_columns: list[str] = field(default_factory=list)


class FirstRows:
    """Keeps the first rows and passes over the rest."""

    def __init__(self, limit: int) -> None:
        self.rows: list[Row] = []
        self.limit = limit

    def add(self, row_id: str, draft: Draft, line: int, file: str) -> None:
        if len(self.rows) >= self.limit:
            return
        learned = ("kind", "messages", "tools", "chosen", "rejected", "label", "text", "tags", "extra")
        fields: dict[str, Any] = {name: getattr(draft, name) for name in learned}
        self.rows.append(Row(row_id=row_id, source_file=file, source_line=line, **fields))


def preview(
    source: Source,
    mapping: list[str] | None = None,
    limit: int = 20,
    reading: Reading = Reading(),  # noqa: B008
    wanted: str = "auto",
    seconds: float = 0.0,
) -> Preview:
    """The first `limit` records of a source, and the bad ones among all that can be looked at in so many seconds.

    Of what is packed no more is unpacked than shows some first rows.

    Raises as the import does for a file that can't be read or recognised.
    """
    reader = source.open(replace(reading, glance=True))
    records = sample(reader)
    columns = columns_of(records)
    guess = take_for(reader, columns, records, mapping or [], wanted)
    first = FirstRows(limit)
    intake = Intake(Drafter(guess.mapping), first, reader.unit, source.label)
    shown = Preview(guess, columns, reader.unit, reader.notes, rows=first.rows)
    shown.side_columns = [name for name in columns if all(side_of(str(one.get(name, ""))) for one in records)]
    deadline = time.monotonic() + seconds
    for record in reader.records():
        enough = shown.checked >= limit and (not seconds or shown.checked % EVERY == 0)
        if enough and time.monotonic() >= deadline:
            break
        intake.take(record)
        shown.checked += 1
    else:
        shown.whole = not reader.unread
    shown.bad, shown.bad_count = intake.bad, intake.bad_count
    if intake.own_sides:
        shown.sides = {side: intake.own_sides.count(place) for place, side in enumerate(SIDES)}
    return shown
