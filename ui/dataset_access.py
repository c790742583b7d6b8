"""What the feeds of the Data page open: datasets with what is pending for them, models' tokenizers; kept where slow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.kept import Kept
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.batches.tokenizer import ModelTokenizer
    from studio.datasets.browsing.listing import Listing
    from studio.datasets.reviewing.reviews import Reviews
    from studio.datasets.store import Dataset

KEPT: Kept[Any] = Kept(24)


def opened(workspace: Workspace, name: str) -> Dataset:
    """The dataset of that name. The data code is imported when it is first asked for: that takes time."""
    from studio.datasets.store import Dataset

    return Dataset.open(workspace, name)


def reviews(dataset: Dataset) -> Reviews:
    from studio.datasets.reviewing.reviews import Reviews

    return Reviews(dataset)


def listing(dataset: Dataset, version: int | None) -> Listing:
    """The rows of a version with what is pending for it."""
    from studio.datasets.browsing.listing import Pending

    return dataset.listing(version, Pending.of(dataset, version))


def reviewer(body: dict[str, Any]) -> str:
    """Takes who does something to rows out of what a page sends, "" for nobody; BadInput when the name is too long."""
    from studio.datasets.reviewing.judgements import Eye

    return Eye.of(str(body.pop("by", None) or "")).by


def large(*datasets: Dataset) -> bool:
    """Whether work on all rows of these takes so long that it is done by a job, which shows its progress."""
    from studio.datasets.browsing.index import LARGE

    return sum(int(dataset.version_info()["rows"]) for dataset in datasets) >= LARGE


def started(workspace: Workspace, job: str, settings: dict[str, Any], hint: str) -> dict[str, str]:
    """Starts a job; its id, as the pages are told it."""
    from studio.jobs import folder as job_folder
    from studio.jobs import local

    folder = job_folder.create(workspace, job, settings, hint)
    local.start(folder)
    return {"job": folder.name}


def models(workspace: Workspace) -> list[str]:
    """The models whose tokens can be shown, the starter first."""
    found = [name for name in workspace.names("models") if (workspace.models / name / "tokenizer.json").is_file()]
    return sorted(found, key=lambda name: (name != "starter", name))


def tokenizer(workspace: Workspace, model: str, template: str = "") -> ModelTokenizer:
    from studio.batches.kept_tokenizers import kept_tokenizer

    return kept_tokenizer(workspace.folder("models", model), template or None)


def changed(path: Path) -> int:
    """Another number whenever a file is another one; 0 for none."""
    return path.stat().st_mtime_ns if path.exists() else 0
