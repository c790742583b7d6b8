"""Several datasets as a new one: their latest versions, row by row, with the ids and sides the rows have there."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio import migrate
from studio.datasets.importing.carrying import Carried
from studio.datasets.importing.steps import Imported
from studio.datasets.mixing.families import Families
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.splitting.sides import SIDES
from studio.datasets.store import Dataset
from studio.datasets.versions.publishing import Progress, Watch, hold, publish
from studio.datasets.versions.writer import LEFT_OUT, VersionWriter
from studio.errors import BadInput, Refused
from studio.settings.merging import MergeSettings
from studio.wording import count
from studio.workspace import Workspace

RECIPE = "merge.json"
TOGETHER = frozenset(("chat", "label"))


def merge(
    workspace: Workspace,
    settings: MergeSettings,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Imported:
    """Merges the latest versions.

    What a model wrote after a row that any of them holds out is left out.
    A row that several datasets have, whatever its ids there are, is taken once, from the first of them. No row stands
    on two sides: where one of them holds it out, it is held out. Another row with the same id gets a further one.
    Reviews that were not frozen yet stay behind, and a note says so.

    Args:
        progress: called now and then with rows done, rows in all, and what is being done.
        should_stop: asked as often; True ends it with `importing.Stopped`, and nothing is left of it.

    Raises:
        NotFound: there is no such dataset.
        BadInput: their rows are of different kinds.
        Refused: there is a dataset of the new name.
    """
    watch = Watch(progress, should_stop)
    datasets = [Dataset.open(workspace, name) for name in settings.datasets]
    kind = _kind(datasets)
    with hold(workspace, settings.name) as scratch:
        folder = workspace.datasets / settings.name
        if folder.exists():
            raise Refused(
                f"There is a dataset “{settings.name}” already.",
                "A merge makes a new one.",
                "Choose another name.",
                field="name",
            )
        recipe = _save(datasets, settings, scratch / "source" / "0001")
        total = sum(int(dataset.version_info()["rows"]) for dataset in datasets)
        writer = VersionWriter(scratch / "rows.arrow")
        try:
            families = Families(datasets)
            carried = Carried(writer, settings.keep_equal, families.written, families.watched)
            done, taken = 0, []
            for dataset in datasets:
                taken.append(carried.take(dataset, watch, done, total))
                done += int(dataset.version_info()["rows"])
            sides, orphans = carried.sides(), families.orphans(carried)
            for number in orphans:
                sides[number] = LEFT_OUT
            writer.finish(scratch / "versions" / "0001.parquet", sides)
        finally:
            writer.close()
        first = datasets[0].version_info()
        gone = Counter(orphans.values())
        parts = {dataset.name: rows - gone[dataset.name] for dataset, rows in zip(datasets, taken, strict=True)}
        entry = {
            "version": 1,
            "made": round(time.time(), 3),
            "rows": sum(parts.values()),
            "counts": {side: sides.count(place) for place, side in enumerate(SIDES)},
            "format": first["format"],
            "kind": kind,
            "reasons": [f"merged from {', '.join(f'“{name}” ({rows:,} rows)' for name, rows in parts.items())}"],
            "mapping": first.get("mapping", {}),
            "split": None,
            "seed": first.get("seed", 0),
            "source": recipe,
            "notes": _notes(datasets, carried, gone.total()),
            "bad_rows": 0,
            "bad": [],
        }
        publish(folder, scratch, entry, None)
    return Imported(settings.name, 1, entry)


def _kind(datasets: list[Dataset]) -> str:
    kinds = {dataset.name: str(dataset.version_info()["kind"]) for dataset in datasets}
    found = set(kinds.values())
    if len(found) > 1 and not found <= TOGETHER:
        told = ", ".join(f"“{name}” has {kind}" for name, kind in kinds.items())
        raise BadInput(
            "These datasets can't be merged.",
            f"Their rows are of different kinds: {told}.",
            "Merge datasets whose rows are of one kind.",
            field="datasets",
        )
    return found.pop() if len(found) == 1 else "chat"


def _save(datasets: list[Dataset], settings: MergeSettings, folder: Path) -> dict[str, Any]:
    """Keeps what was merged, as the source of the version; what dataset.json says of it."""
    folder.mkdir(parents=True)
    versions = {dataset.name: dataset.latest for dataset in datasets}
    path = folder / RECIPE
    migrate.save(path, "merge", {"versions": versions, "keep_equal": settings.keep_equal})
    data = path.read_bytes()
    return {"file": RECIPE, "kind": "merge", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _notes(datasets: list[Dataset], carried: Carried, orphans: int) -> list[str]:
    notes = [f"{carried.known:,} equal rows were taken once"] if carried.known else []
    notes += carried.notes()
    if orphans:
        notes.append(f"left out, as what it was written after is held out: {count(orphans, 'row')} that a model wrote")
    for dataset in datasets:
        if waiting := len(Reviews(dataset).pending()):
            notes.append(f"{waiting:,} reviews of “{dataset.name}” are in no version yet and stayed behind")
    return notes
