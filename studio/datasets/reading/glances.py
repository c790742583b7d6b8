"""A glance at a large packed table: its first rows, from no more of it than was unpacked for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import islice

from studio.datasets.reading.records import FileReader, Reader, Record
from studio.errors import BadInput

BYTES = 4 << 20
# Tables and texts that are read from their beginning on; of the others the end must be there too.
STREAMED = ("csv", "tsv", "json", "jsonl", "txt")


class Glance(FileReader):
    """The rows at the beginning of a file.

    Args:
        first: reads the first bytes of the file, BYTES of them.
        whole: opens the file as a whole, which is done only where its beginning shows no row, or a fault.
    """

    def __init__(self, first: Reader, whole: Callable[[], AbstractContextManager[Reader]]) -> None:
        super().__init__(first.path)
        self.first = first
        self.whole = whole
        self.kind, self.unit, self.notes, self.known = first.kind, first.unit, first.notes, first.known

    def records(self) -> Iterator[Record]:
        """But for the last one, which may be torn."""
        last: Record | None = None
        seen = 0
        try:
            for record in self.first.records():
                if last is not None:
                    yield last
                    seen += 1
                last = record
                self.done = self.first.done
        except BadInput:
            torn = self.first.done > BYTES // 2
        else:
            torn = True
        if seen and torn:
            self.unread = True
            return
        with self.whole() as reader:
            for record in islice(reader.records(), seen, None):
                self.done = reader.done
                yield record
