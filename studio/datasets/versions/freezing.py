"""A new version out of the latest one and what people did to its rows since; the old one stays as it is."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio import migrate
from studio.datasets.additions import SYNTHETIC, Additions, descended, parents_of
from studio.datasets.reviewing.changes import Change
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import SCHEMA, Row, batches, from_columns, to_columns
from studio.datasets.spans import marked, spans_of
from studio.datasets.splitting.sides import SIDES
from studio.datasets.store import INFO, Dataset
from studio.datasets.versions.publishing import Progress, Watch, hold
from studio.datasets.versions.writer import BATCH_ROWS, REPEATED
from studio.errors import Refused
from studio.files import flush
from studio.workspace import Workspace

# Where of a row of an older version it is said that a model wrote it.
MARK = f'"{SYNTHETIC}"'
# What dataset.json says of one version only, and its successor does not inherit.
OWN = ("title", "back", "added_to", "written")


@dataclass
class Frozen:
    """What a new version has that the one before had not."""

    counts: Counter[str] = field(default_factory=Counter)
    edited: int = 0
    excluded: int = 0
    moved: int = 0
    tagged: int = 0
    marked: int = 0
    added: int = 0
    orphaned: int = 0  # written by a model after a row that is held out now: left out

    def count(self, change: Change, row: Row) -> None:
        """Counts a change that was made of a row."""
        self.excluded += change.excluded
        if not change.excluded:
            self.edited += bool(change.content)
            self.moved += bool(change.split)
            self.tagged += bool(change.tags)
            self.marked += change.spans is not None and spans_of(marked(row, change.spans)) != spans_of(row)


def freeze(
    workspace: Workspace,
    name: str,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> int:
    """Makes the next version; returns its number. What is new in it stands in dataset.json, named as in `Frozen`.

    Rows that a model wrote are only ever trained on: moved elsewhere they stay on the side of training, and where a
    row they were made after, at once or by way of another written row, is held out they are left out, as their
    likeness would tell the model its answer.

    Args:
        progress: called now and then with rows done, rows in all, and what is being done.
        should_stop: asked as often; True ends it with `importing.Stopped`, and nothing is left of the version.

    Raises:
        Refused: nothing was changed, or nothing would be left.
        Busy: an import into the dataset is at work.
    """
    watch = Watch(progress, should_stop)
    with hold(workspace, name) as scratch:
        dataset = Dataset.open(workspace, name)
        reviews = Reviews(dataset)
        before = dataset.version_info()
        number = dataset.latest + 1
        path = scratch / f"{number:04}.parquet"
        while True:
            last, changes, added = reviews.to_freeze()
            check(before, changes, added)
            made = _write(dataset, path, changes, added, watch)
            entry = {key: value for key, value in before.items() if key not in OWN} | {
                "version": number,
                "made": round(time.time(), 3),
                "rows": sum(made.counts.values()),
                "made_from": before["version"],
                "reviews": last,
                **asdict(made),
                "counts": {str(side): made.counts[side] for side in SIDES},
            }
            flush(path)
            with reviews.closed():
                if reviews.taken_back_since(last):
                    continue  # somebody undid meanwhile what was just written: that is not to be lost
                os.rename(path, dataset.folder / "versions" / path.name)
                info = dataset.info | {"versions": [*dataset.info["versions"], entry]}
                migrate.save(dataset.folder / INFO, "dataset", info)
            break
        if added:
            reviews.additions.frozen(added, number)
    return number


def check(before: dict[str, Any], changes: dict[str, Change], added: dict[str, Row]) -> None:
    """Raises Refused when there is nothing to make a version of, or when nothing would be left in it."""
    if not changes and not added:
        raise Refused(
            "There is nothing to freeze.",
            f"Version {before['version']} has every change already.",
            "Edit rows or leave some out first.",
        )
    if sum(change.excluded for change in changes.values()) >= before["rows"] and not added:
        raise Refused(
            "There is nothing to freeze.", "Every row is left out, so nothing would be left.", "Take some in again."
        )


def _write(dataset: Dataset, path: Path, changes: dict[str, Change], added: dict[str, Row], watch: Watch) -> Frozen:
    """Copies the latest version batch by batch, with its changes and the added rows behind it."""
    made, total = Frozen(), int(dataset.version_info()["rows"]) + len(added)
    orphans = _orphans(dataset, changes, added)
    touched = pa.array(list(changes), pa.string())
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": REPEATED}
    done = 0
    with (
        pq.ParquetFile(dataset.path(), pre_buffer=False) as file,
        pq.ParquetWriter(path, SCHEMA, **options) as writer,
    ):
        for batch in batches(file, BATCH_ROWS):
            watch(done, total, "writing rows")
            done += batch.num_rows
            named = pc.is_in(batch["row_id"], value_set=touched)
            if pc.any(pc.or_(named, pc.match_substring(batch["tags"], MARK))).as_py():
                changed = _changed(batch.to_pylist(), changes, orphans, made)
                batch = pa.RecordBatch.from_pylist([to_columns(row) for row in changed], SCHEMA)
            for side in SIDES:
                made.counts[side] += pc.sum(pc.equal(batch["split"], side)).as_py() or 0
            writer.write_batch(batch)
        if added:
            rows = [row for row in added.values() if _may_train(row, orphans, made)]
            made.added = len(rows)
            made.counts.update(row.split for row in rows)
            writer.write_batch(pa.RecordBatch.from_pylist([to_columns(row) for row in rows], SCHEMA))
    return made


def _changed(batch: list[dict[str, Any]], changes: dict[str, Change], orphans: set[str], made: Frozen) -> Iterator[Row]:
    """The rows of a batch as they shall be."""
    for values in batch:
        row, change = from_columns(values), changes.get(values["row_id"])
        if change is not None:
            made.count(change, row)
            if change.excluded:
                continue
            side = row.split
            row = change.applied(row)
            if SYNTHETIC in row.tags and row.split != "train":
                row = Change(split=side).applied(row)
        if _may_train(row, orphans, made):
            yield row


def _may_train(row: Row, orphans: set[str], made: Frozen) -> bool:
    made.orphaned += row.row_id in orphans
    return row.row_id not in orphans


def _orphans(dataset: Dataset, changes: dict[str, Change], added: dict[str, Row]) -> set[str]:
    """The rows that a model wrote, at once or by way of others, after one that is not trained on (any more)."""
    written = {row.row_id: parents_of(row) for row in (*dataset.written_by_models(), *added.values())}
    if not written:
        return set()
    written = Additions(dataset.folder).written() | written  # what lies between may have been left out long ago
    held_out = set()
    for row_id, row in dataset.find(None, list({parent for after in written.values() for parent in after})).items():
        change = changes.get(row_id)
        if SYNTHETIC not in row.tags and ((change and change.split) or row.split) != "train":
            held_out.add(row_id)
    return descended(written, held_out)
