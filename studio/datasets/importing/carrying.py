"""Rows of a frozen version taken into another one, as they stand: when a file is added to a dataset, or some merged."""

from __future__ import annotations

import json
from array import array
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from studio.datasets.importing.belonging import CONTENTS, PLACES, Belonging, mark_of
from studio.datasets.importing.intake import CONTENT_ID, Ids
from studio.datasets.reviewing.reviews import Change, Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.writer import BATCH_ROWS, VersionWriter

if TYPE_CHECKING:
    from studio.datasets.importing.steps import Watch


class Carried:
    """The rows taken so far: their ids, their sides (places in SIDES), and on which side their documents are.

    Args:
        again: whether a row that is there already is taken once more, under an id of its own.
    """

    def __init__(self, writer: VersionWriter, again: bool = False) -> None:
        self.writer = writer
        self.again = again
        self.ids = Ids()
        self.sides = array("b")
        self.known = 0
        self.moved = 0  # rows whose side was another where they come from
        self.marks: dict[int, int] = {}  # mark → the first row taken that has it
        self.copies: dict[int, int] = {}  # mark → how many rows were taken that have it, where it is not one
        self.met: dict[int, int] = {}  # the same of the dataset that is being taken
        self.start = 0  # the first row of that dataset
        self.groups = array("b")
        self.documents: dict[str, int] = {}

    def take(self, dataset: Dataset, watch: Watch, done: int = 0, total: int = 0) -> int:
        """Takes the latest version of a dataset; returns how many of its rows were not there yet."""
        taken = 0
        self.start, self.met = len(self.sides), {}
        total = total or int(dataset.version_info()["rows"])
        with pq.ParquetFile(dataset.path(), pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                watch(done, total, f"taking the rows of “{dataset.name}”")
                done += batch.num_rows
                kept = self._kept(batch)
                taken += kept.num_rows
                if kept.num_rows:
                    self.writer.carry(kept)
        return taken

    def _kept(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch that are not there yet, under the ids they get."""
        ids: list[str | None] = []
        columns = (batch[name].to_pylist() for name in ("row_id", "split", "extra", *CONTENTS))
        for row, side, extra, *contents in zip(*columns, strict=True):
            mark = mark_of(contents)
            if self._has(mark):
                ids.append(None)
                self.known += 1
                self.moved += self.sides[self.marks[mark]] != PLACES[side]
                continue
            given = self.ids.carry(row)
            ids.append(given)
            place = self._side(given, mark, PLACES[side])
            self.moved += place != PLACES[side]
            self.sides.append(place)
            if extra and '"document"' in extra:
                self.documents.setdefault(str(json.loads(extra).get("document")), place)
        batch = batch.set_column(0, "row_id", pa.array(ids, pa.string()))
        return batch.filter(batch["row_id"].is_valid()) if None in ids else batch

    def _has(self, mark: int) -> bool:
        """Whether an equal row of a dataset before stands for this one; each stands for one, so copies stay copies."""
        first = self.marks.get(mark)
        if first is None or self.again:
            return False
        self.met[mark] = count = self.met.get(mark, int(first >= self.start)) + 1
        if count <= self.copies.get(mark, 1):
            return True
        self.copies[mark] = count
        return False

    def _side(self, row: str, mark: int, place: int) -> int:
        """The side of a row: that of the first row equal to it, or made of the same content; else its own."""
        first = self.marks.setdefault(mark, len(self.sides))
        new = first == len(self.sides)
        if not new:
            place = self.sides[first]
        if CONTENT_ID.fullmatch(row):
            group = self.ids.groups[bytes.fromhex(row[:20])]
            if group == len(self.groups):
                self.groups.append(place)
            elif new:
                place = self.groups[group]
        return place

    def fix(self, belonging: Belonging) -> None:
        """Lets new rows go where the equal ones and those of the same document are."""
        belonging.fixed_groups = self.groups
        belonging.fixed_documents = self.documents
        belonging.fixed_marks, belonging.fixed_sides = self.marks, self.sides

    def notes(self) -> list[str]:
        """What was changed so that no row stands on two sides."""
        told = "equal rows had another side than the first of them, whose side holds"
        return [f"{self.moved:,} {told}"] if self.moved else []


def dismissed(dataset: Dataset) -> set[str]:
    """The ids of the rows that were excluded or discarded last, whether a version has that already or not."""
    made = (reduce(Change.with_deed, deeds, Change(row, 0)) for row, deeds in Reviews(dataset).log().by_row.items())
    return {change.row_id for change in made if change.excluded}
