"""Rows of a frozen version taken into another one, as they stand: when a file is added to a dataset, or some merged."""

from __future__ import annotations

import json
from array import array
from collections.abc import Container

import pyarrow as pa
import pyarrow.parquet as pq

from studio.datasets.importing.belonging import CONTENTS, MARK_BYTES, Belonging, mark_of
from studio.datasets.importing.digests import Digests
from studio.datasets.importing.intake import CONTENT_ID, Ids
from studio.datasets.reviewing.changes import change_of
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import batches
from studio.datasets.splitting.sides import PLACES
from studio.datasets.store import Dataset
from studio.datasets.versions.publishing import Watch
from studio.datasets.versions.writer import BATCH_ROWS, VersionWriter
from studio.wording import count

Named = tuple[str, str]  # a row: its dataset's name, and its id there


class Carried:
    """The rows taken so far: their ids, their sides (places in SIDES), and on which side their documents are.

    Equal rows are kin, whatever their ids are; a row that is equal to none is kin to those whose ids are made of the
    same content. Kin stand on one side. Of a row no more is kept than some bytes in arrays.

    Args:
        again: whether a row that is there already is taken once more, under an id of its own.
        written: rows that a model wrote: no row that nobody wrote so is left out as equal to one of them.
        watched: ids whose rows are noted.
    """

    def __init__(
        self,
        writer: VersionWriter,
        again: bool = False,
        written: Container[Named] = (),
        watched: Container[str] = (),
    ) -> None:
        self.writer = writer
        self.again = again
        self.written = written
        self.watched = watched
        self.noted: dict[Named, tuple[int, int | None]] = {}  # the kin, and the number among the rows taken
        self.ids = Ids()
        self.known = 0
        self.rows = array("I")  # of each row taken the number of its kin
        self.seen = array("b")  # of each kin the sides they come from, a bit a side
        self.marks = Digests(MARK_BYTES)
        self.kin = array("I")  # of each mark
        self.groups = array("I")  # the kin of each group of ids
        self.copies = array("I")  # how many rows were taken that have a mark, where it is not one
        self.met = array("I")  # how many the dataset has that is being taken
        self.documents: dict[str, int] = {}  # document → the kin of its first row

    def take(self, dataset: Dataset, watch: Watch, done: int = 0, total: int = 0) -> int:
        """Takes the latest version of a dataset; returns how many of its rows were not there yet."""
        before = len(self.rows)
        self.met = array("I", [0]) * len(self.marks)
        total = total or int(dataset.version_info()["rows"])
        with pq.ParquetFile(dataset.path(), pre_buffer=False) as file:
            for batch in batches(file, BATCH_ROWS):
                watch(done, total, f"taking the rows of “{dataset.name}”")
                done += batch.num_rows
                kept = self._kept(batch, dataset.name)
                if kept.num_rows:
                    self.writer.carry(kept)
        return len(self.rows) - before

    def _kept(self, batch: pa.RecordBatch, dataset: str) -> pa.RecordBatch:
        """The rows of a batch that are not there yet, under the ids they get."""
        ids: list[str | None] = []
        columns = (batch[name].to_pylist() for name in ("row_id", "split", "extra", *CONTENTS))
        for row, side, extra, *contents in zip(*columns, strict=True):
            mark = mark_of(contents)
            number = self.marks.find(mark)
            written = (dataset, row) in self.written
            taken = None
            if number >= 0 and (not self.again if written else self._has(number)):
                ids.append(None)
                self.known += 1
                kin = self.kin[number]
            else:
                given = self.ids.carry(row)
                ids.append(given)
                kin = self._kin(given, mark, written)
                taken = len(self.rows)
                self.rows.append(kin)
                if extra and '"document"' in extra:
                    self.documents.setdefault(str(json.loads(extra).get("document")), kin)
            self.seen[kin] |= 1 << PLACES[side]
            if row in self.watched:
                self.noted[dataset, row] = kin, taken
        batch = batch.set_column(0, "row_id", pa.array(ids, pa.string()))
        return batch.filter(batch["row_id"].is_valid()) if None in ids else batch

    def _has(self, number: int) -> bool:
        """Whether an equal row of a dataset before stands for this one; each stands for one, so copies stay copies."""
        if self.again:
            return False
        self.met[number] += 1
        if self.met[number] <= self.copies[number]:
            return True
        self.copies[number] = self.met[number]
        return False

    def _kin(self, row: str, mark: bytes, written: bool) -> int:
        """The kin of a row: those equal to it, else those whose ids are made of the same content, else none so far."""
        group = self.ids.groups.find(bytes.fromhex(row[:20])) if CONTENT_ID.fullmatch(row) else -1
        number = self.marks.add(mark)
        if number == len(self.kin):
            known = 0 <= group < len(self.groups)
            self.kin.append(self.groups[group] if known else len(self.seen))
            self.met.append(not written)
            self.copies.append(not written)
            if not known:
                self.seen.append(0)
        if group == len(self.groups):
            self.groups.append(self.kin[number])
        return self.kin[number]

    def side(self, kin: int) -> int:
        """Where one of them was held out, all are; a row of the test is not one of the validation."""
        return self.seen[kin].bit_length() - 1

    def sides(self) -> array[int]:
        """The side of each row."""
        return array("b", map(self.side, self.rows))

    def fix(self, belonging: Belonging) -> None:
        """Lets new rows go where the equal ones and those of the same document are."""
        belonging.fixed_groups = array("b", map(self.side, self.groups))
        belonging.fixed_documents = {name: self.side(kin) for name, kin in self.documents.items()}
        belonging.fixed_marks = self.marks
        belonging.fixed_sides = array("b", map(self.side, self.kin))

    def notes(self) -> list[str]:
        """What was changed so that no row stands on two sides."""
        several = sum(bits & (bits - 1) > 0 for bits in self.seen)
        told = "stood on several sides; where a row is held out once, it is held out"
        return [f"{count(several, 'row')} {told}"] if several else []


def dismissed(dataset: Dataset) -> set[str]:
    """The ids of the rows that were excluded or discarded last, whether a version has that already or not."""
    return set(Reviews(dataset).log().fold(("dismissed",), lambda deeds: change_of(deeds).excluded or None))
