"""Writing a version: rows gathered as they come, their sides added at the end, the Parquet file made from both."""

from __future__ import annotations

import os
from array import array
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio.datasets.importing.drafts import Draft
from studio.datasets.rows import SCHEMA, batches, compact
from studio.datasets.splitting.sides import SIDES

BATCH_ROWS = 8192
BATCH_CHARACTERS = 32 << 20
GATHERED = pa.schema([field for field in SCHEMA if field.name != "split"])
LEFT_OUT = -1
REPEATED = ["kind", "split", "source_file"]


class VersionWriter:
    """Gathers rows in a scratch file and makes the Parquet file of them, holding one batch at a time.

    The sides are known only when all rows are, hence the two passes.
    """

    def __init__(self, scratch: Path) -> None:
        self.path = scratch
        self.rows = 0
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self.file = pa.OSFile(str(scratch), "wb")
        self.writer = pa.ipc.new_file(self.file, GATHERED, options=options)
        self.columns: dict[str, list[Any]] = {name: [] for name in GATHERED.names}
        self.size = 0

    def add(self, row_id: str, draft: Draft, line: int, file: str) -> None:
        values = (
            row_id,
            draft.kind,
            _json(draft.messages),
            _json(draft.tools),
            _json(draft.chosen),
            _json(draft.rejected),
            draft.label,
            draft.text,
            _json(draft.tags) or "{}",
            file,
            line,
            _json(draft.extra) or "{}",
        )
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)
            if value.__class__ is str:
                self.size += len(value)
        self.rows += 1
        if len(self.columns["row_id"]) >= BATCH_ROWS or self.size >= BATCH_CHARACTERS:
            self._flush()

    def carry(self, batch: pa.RecordBatch) -> None:
        """Rows of another version, as they stand there."""
        if self.columns["row_id"]:
            self._flush()
        self.writer.write_batch(batch.select(GATHERED.names).cast(GATHERED))
        self.rows += batch.num_rows

    def _flush(self) -> None:
        arrays = [pa.array(self.columns[field.name], field.type) for field in GATHERED]
        self.writer.write_batch(pa.record_batch(arrays, schema=GATHERED))
        for column in self.columns.values():
            column.clear()
        self.size = 0

    def finish(self, path: Path, sides: array[int]) -> None:
        """Writes the version.

        Args:
            path: the Parquet file to make; one row group a batch, zstd.
            sides: of each row its side, as a place in SIDES, or LEFT_OUT.
        """
        if self.columns["row_id"]:
            self._flush()
        self.close()
        pa.default_memory_pool().release_unused()  # what the rows took while they were gathered
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            pa.OSFile(str(self.path), "rb") as file,
            pa.ipc.open_file(file) as gathered,
            pq.ParquetWriter(path, SCHEMA, compression="zstd", use_dictionary=REPEATED) as writer,
        ):
            start = 0
            for number in range(gathered.num_record_batches):
                start = _write(writer, gathered.get_batch(number), sides, start)
        os.unlink(self.path)

    def close(self) -> None:
        if not self.file.closed:
            self.writer.close()
            self.file.close()


def resided(path: Path, sides: array[int]) -> None:
    """Gives the rows of a version that nobody knows yet other sides."""
    anew = path.with_suffix(".anew")
    with (
        pq.ParquetFile(path, pre_buffer=False) as file,
        pq.ParquetWriter(anew, SCHEMA, compression="zstd", use_dictionary=REPEATED) as writer,
    ):
        start = 0
        for batch in batches(file, BATCH_ROWS):
            start = _write(writer, batch, sides, start)
            del batch  # before the next is read
    os.replace(anew, path)


def _write(writer: pq.ParquetWriter, batch: pa.RecordBatch, sides: array[int], start: int) -> int:
    """Writes rows from `start` on with their sides; where the next ones start. Callers keep no batch beyond the call:
    two at once would be twice the memory.
    """
    end = start + batch.num_rows
    writer.write_batch(_sided(batch, sides[start:end]))
    return end


def _sided(batch: pa.RecordBatch, sides: array[int]) -> pa.RecordBatch:
    places = pa.array(sides, pa.int8())
    if LEFT_OUT in sides:
        kept = pc.not_equal(places, LEFT_OUT)
        batch, places = batch.filter(kept), places.filter(kept)
    split = pa.DictionaryArray.from_arrays(places, pa.array(SIDES)).cast(pa.string())
    return pa.record_batch([split if name == "split" else batch[name] for name in SCHEMA.names], schema=SCHEMA)


def _json(value: Any) -> str | None:
    return compact(value) if value else None
