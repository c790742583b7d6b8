"""The sides of rows that are imported, where a column is kept together or in balance: planned as any split is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.datasets.store import Dataset
from studio.datasets.versions.publishing import Watch
from studio.datasets.versions.writer import resided

if TYPE_CHECKING:
    from studio.settings.splitting import SplitSettings


@dataclass(frozen=True)
class Checked:
    """What a look for groups that cross found, and by which rules; to be kept once the version has its place."""

    found: dict[str, Any]
    settings: SplitSettings

    def remember(self, dataset: Dataset) -> None:
        """Keeps it for the latest version."""
        from studio.datasets.splitting import leaks, plans

        leaks.remember(dataset, 0, self.found, plans.rules(self.settings))


def part(
    folder: Path,
    entry: dict[str, Any],
    settings: SplitSettings,
    watch: Watch,
    kept: Callable[[str], int] | None = None,
) -> Checked:
    """Splits a version that is made but has not its place yet.

    Args:
        folder: where it lies, in `versions/`.
        entry: what dataset.json will say of it; its `counts` and `notes` are mended.
        kept: of a row id the side it has to stay on, as a place in SIDES, -1 for one that is drawn.

    Raises:
        BadInput: a column that no row has, or that can't be used so.
    """
    from studio.datasets.splitting import plans  # it brings the search for near-duplicates, which few imports need

    made = Dataset(folder, {"name": settings.dataset, "versions": [entry]})
    size = int(entry["source"]["bytes"])  # an import tells how far it is in bytes
    plan = plans.plan(made, settings, lambda done, total, what: watch(size, size, f"splitting: {what}"), kept)
    resided(made.path(), plan.sides)
    entry["counts"] = plan.about["planned"]
    entry["notes"] = entry["notes"] + plan.about["notes"]
    return Checked(plan.about["leaks"], settings)
