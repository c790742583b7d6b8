"""A new version out of the latest one and what people did to its rows since; the old one stays as it is."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio import migrate
from studio.datasets.importing import hold
from studio.datasets.reviews import CONTENTS, Change, Reviews
from studio.datasets.rows import SCHEMA, compact
from studio.datasets.split import SIDES
from studio.datasets.store import INFO, Dataset
from studio.datasets.versions import BATCH_ROWS, REPEATED
from studio.errors import Refused
from studio.files import flush
from studio.workspace import Workspace


def freeze(workspace: Workspace, name: str) -> int:
    """Makes the next version; returns its number.

    Raises:
        Refused: nothing was changed, or nothing would be left.
        Busy: an import into the dataset is at work.
    """
    with hold(workspace, name) as scratch:
        dataset = Dataset.open(workspace, name)
        reviews = Reviews(dataset)
        last, changes = reviews.last(), reviews.pending()
        before = dataset.version_info()
        excluded = sum(change.excluded for change in changes.values())
        _check(before, len(changes), excluded)
        number = dataset.latest + 1
        path = scratch / f"{number:04}.parquet"
        counts = _write(dataset.path(), path, changes)
        entry = before | {
            "version": number,
            "made": round(time.time(), 3),
            "rows": sum(counts.values()),
            "counts": counts,
            "made_from": before["version"],
            "reviews": last,
            "edited": len(changes) - excluded,
            "excluded": excluded,
        }
        flush(path)
        os.rename(path, dataset.folder / "versions" / path.name)
        info = dataset.info | {"versions": [*dataset.info["versions"], entry]}
        migrate.save(dataset.folder / INFO, "dataset", info)
    return number


def _check(before: dict[str, Any], changes: int, excluded: int) -> None:
    if not changes:
        raise Refused(
            "There is nothing to freeze.",
            f"Version {before['version']} has every change already.",
            "Edit or exclude rows first.",
        )
    if excluded >= before["rows"]:
        raise Refused(
            "There is nothing to freeze.", "Every row is excluded, so nothing would be left.", "Include some again."
        )


def _write(old: Path, new: Path, changes: dict[str, Change]) -> dict[str, int]:
    """Copies a version batch by batch, changed rows changed and excluded ones left out; rows of each side."""
    counts = dict.fromkeys(SIDES, 0)
    touched = pa.array(list(changes), pa.string())
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": REPEATED}
    with pq.ParquetFile(old, pre_buffer=False) as file, pq.ParquetWriter(new, SCHEMA, **options) as writer:
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            if pc.any(pc.is_in(batch["row_id"], value_set=touched)).as_py():
                rows = [_changed(row, changes.get(row["row_id"])) for row in batch.to_pylist()]
                batch = pa.RecordBatch.from_pylist([row for row in rows if row is not None], SCHEMA)
            for side in SIDES:
                counts[side] += pc.sum(pc.equal(batch["split"], side)).as_py() or 0
            writer.write_batch(batch)
    return {str(side): count for side, count in counts.items()}


def _changed(row: dict[str, Any], change: Change | None) -> dict[str, Any] | None:
    if change is None:
        return row
    if change.excluded:
        return None
    for name, value in (change.content or {}).items():
        row[name] = value if name in CONTENTS[3:] or value is None else compact(value)
    return row
