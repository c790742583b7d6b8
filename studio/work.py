"""What is at work in a workspace, in words: for the header of the pages, and for whoever has to wait."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio import events, logs, runs
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.workspace import Workspace

# What each kind of job does. The engine is left out: it waits for questions most of its life.
DOING = {
    "train": "training",
    "rehearsal": "training",
    "evaluate": "evaluating",
    "predict": "answering a file with",
    "fit": "measuring memory for",
    "benchmark": "running a benchmark",
    "export": "exporting",
    "demo": "running the sample",
    "import_data": "importing",
    "fetch_dataset": "fetching a dataset",
    "add_model": "downloading a model",
    "doctor": "examining",
    "fix_finding": "mending",
    "freeze": "freezing a version of",
    "index_data": "preparing the search of",
    "look_at_mix": "looking at a mix",
    "map_rows": "drawing the map of",
    "merge": "merging datasets into",
    "mix": "mixing",
    "publish": "publishing",
    "split": "splitting",
    "tag_rows": "tagging",
    "write_rows": "writing rows for",
    "write_elsewhere": "writing rows for",
}
# Ends of these words that say all, and those that say nothing where it is not known to what.
ALONE = ("benchmark", "model", "sample", "dataset")
LINKS = ("of", "for", "with", "into")


@dataclass(frozen=True)
class Work:
    """One job at work: what it does, and to what ("" where its kind says all); `kind` and `id` are its folder's."""

    kind: str
    id: str
    doing: str
    of: str = ""

    @property
    def words(self) -> str:
        return f"{self.doing} “{self.of}”" if self.of else self.doing

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"words": self.words}


def told(workspace: Workspace, folder: Path) -> Work:
    """What a job does; of one whose settings can't be read only that it works."""
    try:
        settings = job_folder.read_settings(folder)
    except (StudioError, OSError):
        settings = {}
    doing = DOING.get(str(settings.get("job")), "working")
    run = folder if folder.parent == workspace.runs else workspace.runs / str(settings.get("run") or "-")
    of = runs.summary(run).title if run.is_dir() else str(settings.get("dataset") or settings.get("name") or "")
    whole, _, last = doing.rpartition(" ")
    if last in ALONE:
        of = ""
    elif not of and last in LINKS:
        doing = whole
    return Work(folder.parent.name, folder.name, doing, of)


class AtWork:
    """The jobs at work, whoever has the device first. Jobs that have ended are looked at once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.ended: dict[Path, int] = {}

    def now(self) -> list[Work]:
        """Every job whose worker is alive, but for engines."""
        found = [folder for kind in ("runs", "evaluations", "exports", "jobs") for folder in self._live(kind)]
        holder = queue.holder(self.workspace)
        works = [(folder != holder, told(self.workspace, folder)) for folder in found]
        return [work for _, work in sorted(works, key=lambda item: item[0])]

    def _live(self, kind: str) -> list[Path]:
        folders = [self.workspace.root / kind / name for name in self.workspace.names(kind)]
        return [folder for folder in folders if self._works(folder)]

    def _works(self, folder: Path) -> bool:
        try:
            changed = os.stat(folder / events.EVENTS).st_mtime_ns
            if self.ended.get(folder) == changed:
                return False
            last = logs.last(folder / events.EVENTS) or {}
            if last.get("type") in events.TERMINAL:
                self.ended[folder] = changed
                return False
            return job_folder.alive(folder) and job_folder.read_settings(folder).get("job") != "engine"
        except (StudioError, OSError):
            return False
