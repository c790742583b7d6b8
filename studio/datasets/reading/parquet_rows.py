"""parquet: records streamed batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from studio.datasets.reading import stored
from studio.datasets.reading.records import FileReader, Record, from_disk, refuse
from studio.errors import BadInput

BATCH_CELLS = 8192


class ParquetRows(FileReader):
    """A Parquet file; nested columns become lists and objects."""

    kind = "parquet"

    def records(self) -> Iterator[Record]:
        try:
            with pq.ParquetFile(self.path, memory_map=False, pre_buffer=False) as file:
                yield from self._records(file)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if from_disk(error):
                raise
            raise _damaged(self.path, str(error)) from None

    def _records(self, file: pq.ParquetFile) -> Iterator[Record]:
        names = file.schema_arrow.names
        check_names(self.path, names)
        total = max(1, file.metadata.num_rows)
        make = stored.record if stored.is_version(names) else Record
        number = 0
        for batch in file.iter_batches(batch_size=max(16, BATCH_CELLS // max(1, len(names)))):
            for values in batch.to_pylist():
                number += 1
                yield make(number, values)
            self.done = self.size * number // total


def check_names(path: Path, names: list[str]) -> None:
    """Raises BadInput for a column that is there twice."""
    double = next((name for name, count in Counter(names).items() if count > 1), None)
    if double is not None:
        raise refuse(path, f"It has the column “{double}” twice.", "Give every column its own name.")


def _damaged(path: Path, cause: str) -> BadInput:
    return refuse(
        path,
        f"It begins like a Parquet file but is cut off or damaged ({cause.splitlines()[0][:160]}).",
        "Copy, download or export it again.",
    )
