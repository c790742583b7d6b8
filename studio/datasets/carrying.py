"""Rows of a frozen version taken into another one, as they stand: when a file is added to a dataset, or some merged."""

from __future__ import annotations

import json
from array import array
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from studio.datasets.belonging import PLACES, Belonging
from studio.datasets.intake import CONTENT_ID, Ids
from studio.datasets.store import Dataset
from studio.datasets.versions import BATCH_ROWS, VersionWriter

if TYPE_CHECKING:
    from studio.datasets.importing import Watch


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
        self.groups: dict[int, int] = {}
        self.documents: dict[str, int] = {}

    def take(self, dataset: Dataset, watch: Watch, done: int = 0, total: int = 0) -> int:
        """Takes the latest version of a dataset; returns how many of its rows were not there yet."""
        taken = 0
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
        columns = (batch[name].to_pylist() for name in ("row_id", "split", "extra"))
        for row, side, extra in zip(*columns, strict=True):
            given = self.ids.carry(row, self.again)
            ids.append(given)
            if given is None:
                self.known += 1
                continue
            place = self._side(given, PLACES[side])
            self.sides.append(place)
            if extra and '"document"' in extra:
                self.documents.setdefault(str(json.loads(extra).get("document")), place)
        batch = batch.set_column(0, "row_id", pa.array(ids, pa.string()))
        return batch.filter(batch["row_id"].is_valid()) if None in ids else batch

    def _side(self, row: str, place: int) -> int:
        """The side of a row: its own, or that of the first row equal to it."""
        if not CONTENT_ID.fullmatch(row):
            return place
        return self.groups.setdefault(self.ids.groups[bytes.fromhex(row[:20])], place)

    def fix(self, belonging: Belonging) -> None:
        """Lets new rows go where the equal ones and those of the same document are."""
        belonging.fixed_groups = self.groups
        belonging.fixed_documents = self.documents
