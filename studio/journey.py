"""The main job as one job, on the starter data: fetch the starter, import, train, evaluate, three pairs of answers.

Each part is an ordinary job of its own, so it goes on whatever becomes of the one who asked. `launch.py demo` walks it
in a terminal; “Try the sample” in a job (`backend/demo.py`), so that neither page nor studio is needed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio import events, logs, migrate, runs, wording
from studio.errors import NotFound, Refused, StudioError
from studio.jobs import folder as job_folder
from studio.jobs import local, queue
from studio.settings.answering import EvaluateSettings
from studio.settings.base import check
from studio.settings.flags import merge
from studio.settings.importing import ImportSettings
from studio.settings.models import STARTER, AddModel
from studio.settings.train import TrainSettings
from studio.workspace import Workspace

JOB = "demo"
DATA = Path(__file__).resolve().parents[1] / "assets" / "starter" / "support-desk.csv"
DATASET = "support-desk"
PAIRS = 3
PARTS = {
    "model": "Get the starter model",
    "data": "Import 400 support messages",
    "train": "Train on 240 of them",
    "evaluate": "Ask base and tuned 120 it has not seen",
}

# Waits for a part's job and returns the fields of its `finished` event; raises when it ended otherwise.
Wait = Callable[[str, Path], dict[str, Any]]
# Told when a part begins, with its job's folder, or None when there is nothing left to do for it.
Began = Callable[[str, Path | None], None]


class Journey:
    """One way through all parts.

    Args:
        given: settings of the run that differ from what is chosen by itself.
        wait, began: how whoever walks it waits for a part, and notes that it began.
        children: the jobs of the parts that began in an earlier life of this journey.
    """

    def __init__(
        self,
        workspace: Workspace,
        given: dict[str, Any],
        wait: Wait,
        began: Began,
        children: dict[str, Path] | None = None,
    ) -> None:
        self.workspace = workspace
        named = {"dataset": DATASET, "name": "Sample"}
        self.settings = check(TrainSettings, merge(TrainSettings, named, given))
        self.wait = wait
        self.began = began
        self.children = children or {}

    def walk(self) -> dict[str, Any]:
        """All parts; the verdict, and `run`, `train_seconds`, `pairs`, `seconds` (without fetching the starter).

        Raises:
            StudioError: a part failed; in its own words.
        """
        self._part("model", self._model)
        began = time.monotonic()
        self._part("data", self._data)
        trained = self._part("train", self._train)
        run = self.children["train"]
        self._part("evaluate", self._evaluate)
        folder = self.children["evaluate"]
        return {
            "id": folder.name,
            **migrate.load(folder / "verdict.json", "verdict"),
            "run": run.name,
            "train_seconds": trained["train_seconds"],
            "pairs": pairs(folder),
            "seconds": round(time.monotonic() - began, 1),
        }

    def _part(self, name: str, make: Callable[[], Path | None]) -> dict[str, Any]:
        folder = self.children.get(name)
        if folder is None or not folder.is_dir():
            folder = make()
            self.began(name, folder)
            if folder is None:
                return {}
            self.children[name] = folder
            begin(self.workspace, folder)
        elif job_folder.status(folder) in ("stopped", "interrupted", "failed"):
            begin(self.workspace, folder)
        return self.wait(name, folder)

    def _model(self) -> Path | None:
        if self.settings.model != STARTER or STARTER in self.workspace.names("models"):
            return None
        settings = check(AddModel, {"source": STARTER})
        return job_folder.create(self.workspace, "add_model", settings.model_dump(mode="json"), settings.kept_as)

    def _data(self) -> Path | None:
        if DATASET in self.workspace.names("datasets"):
            return None
        settings = check(ImportSettings, {"source": str(DATA), "name": DATASET})
        return job_folder.create(self.workspace, "import_data", settings.model_dump(mode="json"), settings.name)

    def _train(self) -> Path:
        from studio.preflight import preflight

        found = preflight(self.workspace, self.settings)
        found.refuse_errors()
        return runs.create(self.workspace, found.to_start, found.steps)

    def _evaluate(self) -> Path:
        run = self.children["train"]
        runs.weights(run)
        settings = check(EvaluateSettings, {"run": run.name})
        return job_folder.create(self.workspace, "evaluate", settings.model_dump(mode="json"), run.name[16:48])


def begin(workspace: Workspace, folder: Path) -> None:
    """Starts a part's job, or takes it up again; one that needs the device waits for its turn."""
    if job_folder.read_settings(folder).get("job") not in queue.DEVICE_JOBS:
        (folder / job_folder.STOP).unlink(missing_ok=True)
        local.start(folder)
    elif job_folder.status(folder) == "queued":
        queue.advance(workspace)
    else:
        queue.requeue(workspace, folder)


def pairs(evaluation: Path) -> list[dict[str, str]]:
    """The first held-out rows of an evaluation on which base and tuned answered differently."""
    import pyarrow.parquet

    columns = ["row_id", "prompt", "expected", "base", "tuned"]
    rows = pyarrow.parquet.read_table(evaluation / "predictions.parquet", columns=columns).to_pylist()
    rows.sort(key=lambda row: row["base"] == row["tuned"])
    return rows[:PAIRS]


# As a job


def latest(workspace: Workspace) -> Path | None:
    """The newest sample run, if there is one."""
    for name in reversed(workspace.names("jobs")):
        if f"-{JOB}-" in name and _is_one(workspace.jobs / name):
            return workspace.jobs / name
    return None


def _is_one(folder: Path) -> bool:
    try:
        return job_folder.read_settings(folder).get("job") == JOB
    except (StudioError, OSError):
        return False  # broken: it hides no other


def start(workspace: Workspace, given: dict[str, Any] | None = None) -> Path:
    """Starts one, or takes up the latest if it has not come to its end; returns its job's folder."""
    folder = latest(workspace)
    if folder and job_folder.status(folder) in ("running", "stopping"):
        return folder
    if not folder or job_folder.status(folder) == "finished":
        folder = job_folder.create(workspace, JOB, {"train": given or {}}, JOB)
    (folder / job_folder.STOP).unlink(missing_ok=True)
    local.start(folder)
    return folder


def begun(workspace: Workspace, folder: Path) -> dict[str, Path | None]:
    """The parts of a sample run that began, each with its job's folder (None: nothing was to be done)."""
    found: dict[str, Path | None] = {}
    for line in logs.read(folder / events.EVENTS)[0]:
        if line.get("type") == "began":
            name = line.get("id")
            found[str(line.get("part"))] = workspace.root / str(line.get("kind")) / str(name) if name else None
    return found


def state(workspace: Workspace, folder: Path) -> dict[str, Any]:
    """A sample run as the page shows it: `id`, `status`, `parts`, `error`, `result`."""
    folded, status = job_folder.look(folder)
    children = begun(workspace, folder)
    return {
        "id": folder.name,
        "status": status,
        "parts": [{"part": name, "title": title, **_part(name, children)} for name, title in PARTS.items()],
        "error": folded.error,
        "result": folded.result if folded.phase == "finished" else None,
    }


def _part(name: str, children: dict[str, Path | None]) -> dict[str, Any]:
    if name not in children:
        return {"status": "waiting"}
    folder = children[name]
    if folder is None:
        return {"status": "finished", "text": "Already here."}
    if not folder.is_dir():
        return {"status": "deleted", "text": "It was deleted."}
    folded, status = job_folder.look(folder)
    last = events.last_metric(folder)
    done, total = last.get("done"), last.get("total")
    if folder.parent.name == "runs":  # what comes before the first step is short and has bars of its own
        done, total = last.get("step"), folded.total_steps
    shown = folded.last_event or {}
    text = "Waiting for the device." if status == "queued" else wording.metric(last, folded.total_steps)
    return {
        "status": status,
        "kind": folder.parent.name,
        "id": folder.name,
        "share": min(1.0, done / total) if done is not None and total else None,
        "text": text or wording.event(shown),
        "seconds": folded.ended - folded.started if folded.ended and folded.started else None,
    }


def open_one(workspace: Workspace, name: str) -> Path:
    """The folder of a sample run; NotFound when the job is none."""
    folder = workspace.folder("jobs", name)
    if not _is_one(folder):
        raise NotFound(f"“{name}” is no sample run.", "It is a job of another kind.", "Go back to Home.")
    return folder


def stop(workspace: Workspace, name: str) -> str:
    """Asks a sample run to stop, and with it the part it is at; returns its status.

    Raises:
        Refused: it has ended.
    """
    folder = open_one(workspace, name)
    if job_folder.status(folder) not in ("running", "stopping"):
        raise Refused("The sample is not running.", "It has ended already.", "Start it again from Home.")
    local.stop(folder)
    return job_folder.status(folder)
