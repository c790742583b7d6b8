"""Rows whose words changed in the source since people judged or edited them, when it is imported again.

Who accepted a row accepted the words that they saw. Where the source has others now, an acceptance is put back, by a
review that names nobody and can be undone. What a person wrote into a row stays, and so does that a row is left out;
that the source changed there as well is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from studio.datasets.importing.belonging import CONTENTS
from studio.datasets.reviewing.changes import change_of
from studio.datasets.reviewing.judgements import ACCEPTED, SOURCE_CHANGED, status_of
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset, connect
from studio.datasets.versions.comparing import derived
from studio.errors import Broken
from studio.wording import count

SHOWN = 5
_CONTENT = "concat_ws(chr(31), {})".format(", ".join(f"coalesce({{0}}.{name}, chr(30))" for name in CONTENTS))
_CHANGED = f"""
    SELECT old.row_id FROM read_parquet(?) old JOIN read_parquet(?) new USING (row_id)
    WHERE old.row_id IN (SELECT unnest(?)) AND {_CONTENT.format("old")} <> {_CONTENT.format("new")}
"""


@dataclass
class Reworded:
    """Reviewed rows with other words than in the import before, by their ids.

    Args:
        accepted: those that are to be judged again.
        edited: those in which a person's words stand.
        out: those that stay left out.
    """

    accepted: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    out: list[str] = field(default_factory=list)

    def put_back(self, reviews: Reviews) -> None:
        """Has the accepted ones judged again; in the same `closed()` in which they were found, so that nothing that
        anybody reviewed meanwhile is overwritten or missed."""
        deeds = [{"type": "judge", "row": row, "status": "pending", "reason": SOURCE_CHANGED} for row in self.accepted]
        if deeds:
            reviews.apply(deeds, why=SOURCE_CHANGED)

    def notes(self) -> list[str]:
        """What is said of them in dataset.json."""
        notes = []
        if rows := len(self.accepted):
            have, them = ("was accepted and has", "it") if rows == 1 else ("were accepted and have", "them")
            notes.append(
                f"{count(rows, 'row')} {have} other words in the source now, so nobody has judged {them} yet: judge "
                f"{them} again in Review, or undo this there"
            )
        if rows := len(self.edited):
            were, these = ("was", "this row") if rows == 1 else ("were", "these rows")
            notes.append(
                f"{count(rows, 'row')} that somebody edited {were} changed in the source too; the edit stays: look at "
                f"{these} ({_some(self.edited)}), and take the edit back to have the source's words"
            )
        if rows := len(self.out):
            were, stay, it = ("was", "stays", "it") if rows == 1 else ("were", "stay", "them")
            notes.append(
                f"{count(rows, 'row')} that {were} left out {'has' if rows == 1 else 'have'} other words in the source "
                f"now and {stay} out: look at {it} ({_some(self.out)}), in case {it} can be used now"
            )
        return notes


def reworded(reviews: Reviews, path: Path) -> Reworded:
    """Which reviewed rows have other words than in the import that the latest version came from; versions that were
    frozen since have what people did to rows, which carries over by itself.

    Args:
        reviews: those of the dataset as it was before.
        path: the Parquet file of the version that is made of the source anew.
    """
    found = Reworded()
    older, by_row = reviews.dataset, reviews.log().by_row
    if not by_row:
        return found
    try:
        paths = [str(older.path(_imported(older))), str(path)]
    except Broken:  # its source is imported to mend it
        return found
    with connect() as connection:
        try:
            changed = connection.execute(_CHANGED, [*paths, list(by_row)]).fetchall()
        except (duckdb.InvalidInputException, duckdb.IOException):  # damaged
            return found
    for (row,) in sorted(changed):
        deeds = by_row[row]
        change = change_of(deeds)
        if change.excluded:
            found.out.append(row)
        elif change.content:
            found.edited.append(row)
        elif status_of(deeds) == ACCEPTED:
            found.accepted.append(row)
    return found


def _imported(dataset: Dataset) -> int:
    """The import that the latest version came from; not the last one where people went back behind it."""
    entry = dataset.version_info()
    while derived(entry):
        entry = dataset.version_info(entry["made_from"])
    return int(entry["version"])


def _some(rows: list[str]) -> str:
    return ", ".join(rows[:SHOWN]) + (", …" if len(rows) > SHOWN else "")
