"""arrow: records of an Arrow IPC file or stream (as `datasets` keeps its tables), streamed batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from studio.datasets.reading import stored
from studio.datasets.reading.parquet_rows import BATCH_CELLS, check_names
from studio.datasets.reading.records import FileReader, Record, from_disk, refuse

MAGIC = b"ARROW1"
# A stream begins with the mark of a message, behind which its length stands.
STREAM = b"\xff\xff\xff\xff"


class ArrowRows(FileReader):
    """An Arrow file; nested columns become lists and objects."""

    kind = "arrow"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with open(path, "rb") as file:
            self.indexed = file.read(len(MAGIC)) == MAGIC

    def records(self) -> Iterator[Record]:
        """Raises BadInput for a damaged file; what its lengths say is checked before it is believed."""
        number = 0
        try:
            with pa.OSFile(str(self.path), "rb") as file:
                for batch in self._batches(file):
                    batch.validate(full=True)
                    make = stored.record if stored.is_version(batch.schema.names) else Record
                    width = max(16, BATCH_CELLS // max(1, batch.num_columns))
                    for start in range(0, batch.num_rows, width):
                        for values in batch.slice(start, width).to_pylist():
                            number += 1
                            yield make(number, values)
                    self.done = min(self.size, file.tell())
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if from_disk(error):
                raise
            raise refuse(
                self.path,
                "It begins like an Arrow file but is cut off or damaged "
                f"({(str(error).splitlines() or ['no reason given'])[0][:160]}).",
                "Copy it again, or save it as Parquet.",
            ) from None

    def _batches(self, file: Any) -> Iterator[pa.RecordBatch]:
        if self.indexed:
            opened = pa.ipc.open_file(file)
            check_names(self.path, opened.schema.names)
            for number in range(opened.num_record_batches):
                yield opened.get_batch(number)
        else:
            opened = pa.ipc.open_stream(file)
            check_names(self.path, opened.schema.names)
            yield from opened
