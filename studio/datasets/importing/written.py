"""Rows that were written in the studio, when a dataset is made anew from its source: they wait again, like its reviews.

A version of a source has the rows of the source and no others. What a model wrote and somebody accepted is in none of
its files, so it goes back to the rows that wait for the next version, as it stands in the version before. What was
written after a row that the source has no more stays behind, as nobody can tell on which side that row would be now.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from studio.datasets.additions import Additions, parents_of
from studio.datasets.importing.belonging import CONTENTS
from studio.datasets.rows import Row
from studio.datasets.store import Dataset, connect
from studio.errors import Broken
from studio.wording import count

_CONTENT = "md5(concat_ws(chr(31), {}))".format(", ".join(f"coalesce({name}, chr(30))" for name in CONTENTS))
_KNOWN = f"""
    SELECT row_id FROM read_parquet(?) WHERE row_id IN (SELECT unnest(?))
    AND {_CONTENT} IN (SELECT {_CONTENT} FROM read_parquet(?))
"""


@dataclass
class Written:
    """What becomes of the rows that were written in the studio.

    Args:
        version: the version that has them; 0 where there is none.
        again: those that wait again.
        alone: the ids of those that stay behind, as the source has no more what they were written after, or rows of
            another kind.
        known: the ids of those that the source has itself now.
    """

    version: int
    again: dict[str, Row] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    broken: bool = False  # that version can't be read any more

    def keep(self, folder: Path) -> None:
        """Lets them wait again; said before the new version takes its place, so that none is lost between the two."""
        if self.again:
            Additions(folder).again(self.again.values(), self.version)

    def notes(self) -> list[str]:
        """What is said of them in dataset.json."""
        notes = []
        if self.broken:
            notes.append(
                f"version {self.version} can't be read, so rows that were written in the studio are not here; restore "
                "it from a copy and import again to have them"
            )
        if self.again:
            rows = count(len(self.again), "row")
            notes.append(f"waiting again, for the next version to be frozen: {rows} written in the studio and accepted")
        if self.alone:
            rows = count(len(self.alone), "row")
            notes.append(
                "left behind, as the source has no more what it was written after, or rows of another kind: "
                f"{rows} written in the studio; go back to version {self.version} to have it again"
            )
        return notes


def written(older: Dataset, path: Path, kinds: Collection[str]) -> Written:
    """What becomes of the written rows of a dataset's latest version.

    Args:
        path: the Parquet file of the version that is made of its source anew.
        kinds: of which its rows are.
    """
    found = Written(older.latest)
    try:
        rows = older.find(None, list(Additions(older.folder).written()))
    except Broken:  # its source is imported to mend it
        found.broken = True
        return found
    if not rows:
        return found
    with connect() as connection:
        there = connection.execute(_KNOWN, [str(older.path()), list(rows), str(path)]).fetchall()
        found.known = {row_id for (row_id,) in there}
        parents = older.has(None, list({parent for row in rows.values() for parent in parents_of(row)}))
        asked = "SELECT row_id FROM read_parquet(?) WHERE row_id IN (SELECT unnest(?))"
        gone = parents - {row_id for (row_id,) in connection.execute(asked, [str(path), list(parents)]).fetchall()}
    found.again = {row_id: row for row_id, row in rows.items() if row_id not in found.known}
    while alone := {
        row_id
        for row_id, row in found.again.items()
        if row.kind not in kinds or any(parent in gone and parent not in found.again for parent in parents_of(row))
    }:
        found.alone |= alone
        found.again = {row_id: row for row_id, row in found.again.items() if row_id not in alone}
    return found
