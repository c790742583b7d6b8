"""On which side the rows of a version stand, for an import that makes the next one: a row held out stays held out."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio.datasets.importing.belonging import CONTENTS, MARK_BYTES, mark_of
from studio.datasets.importing.digests import Digests
from studio.datasets.rows import HASH_BYTES, Side, batches
from studio.datasets.splitting.sides import DEFAULT, PLACES, read_fractions
from studio.datasets.store import Dataset
from studio.datasets.versions.publishing import Watch
from studio.datasets.versions.writer import BATCH_ROWS
from studio.errors import Broken
from studio.settings.importing import ImportSettings

UNREADABLE = (Broken, OSError, pa.ArrowException)


class Standing:
    """The sides of a version's rows, by their ids and by what they say; some bytes a row, in arrays.

    Args:
        version: its number.
        split, seed: with which shares and draw it was made.
    """

    def __init__(self, version: int, split: str | None, seed: int) -> None:
        self.version = version
        self.split = split
        self.seed = seed
        self.ids = Digests(HASH_BYTES)
        self.sides = array("b")  # of each id
        self.marks = Digests(MARK_BYTES)
        self.marked = array("b")  # of each mark the side of the row that is held out furthest

    def take(self, dataset: Dataset, watch: Watch) -> None:
        """Reads them. Raises one of UNREADABLE where that can't be done: a source is imported to mend a dataset too."""
        done, total = 0, int(dataset.version_info(self.version)["rows"])
        columns = ["row_id", "split", *CONTENTS]
        with pq.ParquetFile(dataset.path(self.version), pre_buffer=False) as file:
            for batch in batches(file, BATCH_ROWS, columns):
                watch(done, total, "looking up the sides of the version before")
                done += batch.num_rows
                for row, side, *contents in zip(*(batch[name].to_pylist() for name in columns), strict=True):
                    self._add(row, PLACES[side], mark_of(contents))

    def _add(self, row: str, side: int, mark: bytes) -> None:
        if self.ids.add(_digest(row)) == len(self.sides):
            self.sides.append(side)
        number = self.marks.add(mark)
        if number == len(self.marked):
            self.marked.append(side)
        else:
            self.marked[number] = max(self.marked[number], side)

    def of_id(self, row: str) -> int:
        """The side of the row with that id as a place in SIDES, -1 where there is none."""
        number = self.ids.find(_digest(row))
        return self.sides[number] if number >= 0 else -1

    def of_mark(self, mark: bytes) -> int:
        """The side of the rows that say the same, -1 where there is none."""
        number = self.marks.find(mark)
        return self.marked[number] if number >= 0 else -1


def standing_of(before: dict[str, Any] | None, settings: ImportSettings) -> Standing | None:
    """Where the rows stay, still to be read; None where there is no version before, its rows are taken over
    themselves, or other shares, groups, another balance or another draw are asked for.

    Args:
        before: what dataset.json says.
    """
    if before is None or not before["versions"] or settings.append:
        return None
    last = max(before["versions"], key=lambda entry: entry["version"])
    split, seed = last.get("split"), last.get("seed", 0)
    if (settings.split is not None and _shares(settings.split) != _shares(split)) or settings.seed not in (0, seed):
        return None
    if settings.splitting and any(getattr(settings, name) != last.get(name) for name in ("group_by", "stratify")):
        return None
    return Standing(last["version"], split, seed)


def _shares(split: str | None) -> dict[Side, float]:
    return read_fractions(split) if split else dict(DEFAULT)


def _digest(row: str) -> bytes:
    return blake2b(row.encode(), digest_size=HASH_BYTES).digest()
