"""Making a mixture: the rows that a recipe draws are written as a version of a new dataset, which keeps the recipe."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio import migrate
from studio.datasets.importing.written import Written, written
from studio.datasets.mixing.mixture import Share, Stock, blend, preview, take_stock
from studio.datasets.rows import ORIGIN, SCHEMA, Row, to_columns
from studio.datasets.splitting.sides import SIDES
from studio.datasets.store import Dataset, read_info
from studio.datasets.versions.publishing import Progress, Watch, hold, publish
from studio.datasets.versions.writer import BATCH_CHARACTERS, BATCH_ROWS, REPEATED
from studio.errors import Refused
from studio.files import check_name
from studio.settings.mixing import MixSettings
from studio.workspace import Workspace

RECIPE = "recipe.json"
FORMAT = "mixture"
SOURCE = "source"  # the tag that says from which dataset a row came


def mix(
    workspace: Workspace, settings: MixSettings, progress: Progress | None = None, should_stop: Any = None
) -> dict[str, Any]:
    """Makes the mixture; its entry in dataset.json.

    Args:
        progress: called now and then with rows done, rows in all, and what is being done.
        should_stop: asked as often; True ends it with `importing.Stopped`, and nothing is left of it.

    Raises:
        Refused: there is a dataset of that name that is no mixture, or nothing is left to train on.
        BadInput: parts that don't mix.
        Busy: an import or another mixture of that name is at work.
    """
    watch = Watch(progress, should_stop)
    with hold(workspace, check_name(settings.name, "dataset name")) as scratch:
        folder = workspace.datasets / settings.name
        before = _mixture_before(folder)
        version = 1 + max((entry["version"] for entry in before["versions"]), default=0) if before else 1
        watch(0, 0, "looking through the parts")
        stocks = take_stock(workspace, settings, watch)
        shares = blend(stocks, settings)
        told = preview(shares)
        recipe, digest = _save_recipe(settings, stocks, scratch / "source" / f"{version:04}")
        path = scratch / "versions" / f"{version:04}.parquet"
        counts = _write(shares, path, told["rows"], watch)
        main = max(shares, key=lambda share: share.rows).stock
        kinds = set().union(*(stock.kinds for stock in stocks))
        added = written(Dataset(folder, before), path, kinds) if before else Written(0)
        entry = {
            "version": version,
            "made": round(time.time(), 3),
            "rows": sum(counts.values()),
            "counts": {side: counts[side] for side in SIDES},
            "format": FORMAT,
            "kind": kinds.pop() if len(kinds) == 1 else "chat",
            "reasons": [],
            "mapping": main.dataset.version_info(main.version).get("mapping", {}),
            "split": None,
            "seed": settings.seed,
            "source": {"file": RECIPE, "kind": "recipe", "bytes": recipe.stat().st_size, "sha256": digest},
            "notes": added.notes(),
            "bad_rows": 0,
            "bad": [],
            "parts": told["parts"],
        }
        if added.notes():
            entry["written"] = added.notes()
        added.keep(folder)
        publish(folder, scratch, entry, before)
    return entry


def _mixture_before(folder: Path) -> dict[str, Any] | None:
    """What there is under that name already; only a mixture gets a further version."""
    if not folder.exists():
        return None
    info = read_info(folder)
    if info["versions"][-1].get("format") != FORMAT:
        raise Refused(
            f"“{folder.name}” can't become a mixture.",
            "There is a dataset of that name, made of a file.",
            "Choose another name for the mixture.",
            field="name",
        )
    return info


def _save_recipe(settings: MixSettings, stocks: Sequence[Stock], folder: Path) -> tuple[Path, str]:
    """The recipe with the versions it was made of, so that it makes the same again; its path and SHA-256."""
    folder.mkdir(parents=True)
    pinned = [str(replace(stock.part, version=stock.version)) for stock in stocks]
    given = settings.model_dump(mode="json", exclude_none=True)
    given["parts"] = pinned[:-1] if stocks[-1].general else pinned
    if stocks[-1].general:
        given["general"] = pinned[-1]
    path = folder / RECIPE
    migrate.save(path, "mixture", given)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def read_recipe(path: Path) -> dict[str, Any]:
    """The settings in a recipe's file, in today's format."""
    return migrate.load(path, "mixture")


def _write(shares: Sequence[Share], path: Path, total: int, watch: Watch) -> Counter[str]:
    """Writes the rows, part by part in the order of each; rows of each side."""
    path.parent.mkdir(parents=True)
    counts: Counter[str] = Counter()
    batch: list[dict[str, Any]] = []
    size = 0
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": REPEATED}
    with pq.ParquetWriter(path, SCHEMA, **options) as writer:
        for row in _drawn(shares):
            counts[row.split] += 1
            columns = to_columns(row)
            batch.append(columns)
            size += sum(len(value) for value in columns.values() if isinstance(value, str))
            if len(batch) == BATCH_ROWS or size >= BATCH_CHARACTERS:
                watch(counts.total(), total, "writing rows")
                writer.write_batch(pa.RecordBatch.from_pylist(batch, SCHEMA))
                batch.clear()
                size = 0
        watch(counts.total(), total, "writing rows")
        if batch:
            writer.write_batch(pa.RecordBatch.from_pylist(batch, SCHEMA))
    return counts


def _drawn(shares: Sequence[Share]) -> Iterator[Row]:
    """Every row as it will be, as often as it will be there."""
    ids = Names()
    for share in shares:
        stock, copies = share.stock, share.copies()
        for row in stock.dataset.rows(stock.version):
            for _ in range(copies.get(row.row_id, 0)):
                origin = {"dataset": stock.dataset.name, "version": stock.version, "row": row.row_id}
                yield replace(
                    row,
                    row_id=ids.new(row.row_id),
                    tags={SOURCE: stock.dataset.name} | row.tags,
                    extra=row.extra | {ORIGIN: origin},
                )


class Names:
    """Row ids that stay unique: the id a row has, and `-2`, `-3` … behind it where that is taken."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.counts: Counter[str] = Counter()

    def new(self, row_id: str) -> str:
        name = row_id
        while name in self.taken:
            self.counts[row_id] += 1
            name = f"{row_id}-{self.counts[row_id] + 1}"
        self.taken.add(name)
        return name
