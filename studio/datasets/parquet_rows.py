"""parquet: records streamed batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from studio.datasets.records import Record, refuse
from studio.errors import BadInput

BATCH_CELLS = 8192


class ParquetRows:
    """A Parquet file; nested columns become lists and objects."""

    kind = "parquet"
    unit = "row"

    def __init__(self, path: Path, encoding: str = "") -> None:
        self.path = path
        self.done = 0
        self.notes: list[str] = []

    def records(self) -> Iterator[Record]:
        try:
            with pq.ParquetFile(self.path, memory_map=False, pre_buffer=False) as file:
                yield from self._records(file)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise _damaged(self.path, str(error)) from None

    def _records(self, file: pq.ParquetFile) -> Iterator[Record]:
        names = file.schema_arrow.names
        double = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
        if double is not None:
            raise refuse(self.path, f"It has the column “{double}” twice.", "Give every column its own name.")
        size, total = self.path.stat().st_size, max(1, file.metadata.num_rows)
        number = 0
        for batch in file.iter_batches(batch_size=max(16, BATCH_CELLS // max(1, len(names)))):
            for values in batch.to_pylist():
                number += 1
                yield Record(number, values)
            self.done = size * number // total


def _damaged(path: Path, cause: str) -> BadInput:
    return refuse(
        path,
        f"It begins like a Parquet file but is cut off or damaged ({cause.splitlines()[0][:160]}).",
        "Copy, download or export it again.",
    )
