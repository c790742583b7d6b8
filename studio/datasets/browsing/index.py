"""What makes a large version quick to sort, filter and search: made in the background, kept beside it, thrown away at
will.

    datasets/NAME/index/0001/columns/     narrow columns (columns.py), ready within seconds
    datasets/NAME/index/0001/words.sqlite the words (fulltext.py), ready after about a minute for a million rows
    datasets/NAME/index/0001/job          the job that makes them

Each part bears the stamp of the version it was made of, and is not looked at for any other. Versions of fewer than
LARGE rows need none: reading them takes no time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from filelock import FileLock, Timeout

from studio.datasets.browsing import columns, fulltext
from studio.datasets.browsing.columns import Columns
from studio.datasets.browsing.fulltext import FullText
from studio.errors import Busy, NotFound, StudioError
from studio.files import disk_use, whole_file, whole_folder, write_text
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.kept import Kept
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.datasets.store import Dataset

FORMAT = 2
LARGE = 20_000
FOLDER = "index"
COLUMNS = "columns"
WORDS = "words.sqlite"
STAMP = "stamp"
JOB = "job"
Progress = Callable[[int, int, str], None]
KEPT: Kept[Any] = Kept(6)


class State(NamedTuple):
    """How it stands with an index.

    Args:
        state: "none" needed; "ready"; "missing"; "building" by the job named; "failed" in that job.
        columns: whether sorting and filtering are quick already.
    """

    state: Literal["none", "ready", "missing", "building", "failed"]
    job: str = ""
    columns: bool = True


def stamp(dataset: Dataset, version: int) -> str:
    """What tells a version's file from any other; copying the dataset does not change it."""
    path = dataset.path(version)
    return f"{FORMAT} {version} {dataset.version_info(version).get('made')} {path.stat().st_size}"


class Index:
    """The index of one version."""

    def __init__(self, dataset: Dataset, version: int) -> None:
        self.dataset = dataset
        self.version = version
        self.folder = dataset.folder / FOLDER / f"{version:04}"

    def columns(self) -> Columns | None:
        """The narrow columns, None when they are not made (any more) for this very version."""
        folder = self.folder / COLUMNS
        try:
            made = (folder / STAMP).read_text(encoding="utf-8")
            if made != stamp(self.dataset, self.version):
                return None
            found: Columns = KEPT.get((str(folder), made, _changed(folder)), lambda: Columns.load(folder))
        except (OSError, ValueError, KeyError, StudioError):
            return None
        return found

    def fulltext(self) -> FullText | None:
        """The index of words, None when it is not made (any more) for this very version."""
        path = self.folder / WORDS
        try:
            found: FullText = KEPT.get((str(path), _changed(path)), lambda: FullText(path))
        except (OSError, ValueError, StudioError):
            return None
        return found if found.stamp == stamp(self.dataset, self.version) else None

    def build(self, progress: Progress) -> None:
        """Makes what is missing. `progress` may raise to end it; what is whole by then stays.

        Raises:
            Busy: somebody is at it.
        """
        lock = self._lock()
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise Busy(
                f"“{self.dataset.name}” is being indexed already.",
                "Two at once would do the same work.",
                "Wait for it.",
            ) from None
        try:
            mark = stamp(self.dataset, self.version)
            rows = int(self.dataset.version_info(self.version)["rows"])
            self._clear()
            if self.columns() is None:
                shutil.rmtree(self.folder / COLUMNS, ignore_errors=True)
                with whole_folder(self.folder / COLUMNS) as partial:
                    made = columns.make(
                        self.dataset, self.version, partial, lambda n: progress(n, rows, "Making it sortable:")
                    )
                    made.save(partial)
                    (partial / STAMP).write_text(mark, encoding="utf-8")
            if self.fulltext() is None:
                with whole_file(self.folder / WORDS) as file:
                    fulltext.build(
                        self.dataset.path(self.version),
                        file,
                        mark,
                        lambda n: progress(n, rows, "Making it searchable:"),
                    )
        finally:
            lock.release()

    def drop(self) -> None:
        """Removes the index, unless somebody makes it right now."""
        if self.folder.exists() and not job_folder.held(self._lock_path()):
            shutil.rmtree(self.folder, ignore_errors=True)

    def size(self) -> int:
        """Bytes on the disk."""
        return disk_use(self.folder)

    def state(self, workspace: Workspace) -> State:
        """How it stands, without changing anything."""
        if int(self.dataset.version_info(self.version)["rows"]) < LARGE:
            return State("none")  # its columns are read in no time
        sortable = self.columns() is not None
        if sortable and self.fulltext() is not None:
            return State("ready")
        job = self._job(workspace)
        status = job_folder.status(job) if job else ""
        if job and status in ("queued", "running", "stopping"):
            return State("building", job.name, sortable)
        if job and status in ("failed", "stopped"):
            return State("failed", job.name, sortable)
        return State("missing", "", sortable)

    def start(self, workspace: Workspace) -> State:
        """Starts the job that makes the index, unless there is one or none is needed."""
        lock = FileLock(self._lock_path().with_suffix(".start.lock"), is_singleton=False)
        with lock.acquire(timeout=local.START_SECONDS):
            now = self.state(workspace)
            if now.state not in ("missing", "failed"):
                return now
            settings = {"dataset": self.dataset.name, "version": self.version}
            folder = job_folder.create(workspace, "index_data", settings, self.dataset.name)
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(self.folder / JOB, folder.name)
            local.start(folder)
            return State("building", folder.name, now.columns)

    def _job(self, workspace: Workspace) -> Path | None:
        try:
            return workspace.folder("jobs", (self.folder / JOB).read_text(encoding="utf-8"))
        except (OSError, ValueError, NotFound, StudioError):
            return None

    def _clear(self) -> None:
        """Removes what killed builders left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(".*.partial"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _lock_path(self) -> Path:
        folder = self.dataset.folder
        return folder.parent / f".{folder.name}.{self.version:04}.index.lock"

    def _lock(self) -> FileLock:
        return FileLock(self._lock_path(), is_singleton=False)


def start_if_large(workspace: Workspace, name: str, version: int) -> None:
    """Starts making the index of a new version when it is large, in place of those of older versions, which are made
    again when somebody looks at them; the first who needs this one tries again if that fails."""
    from studio.datasets.store import Dataset

    try:
        dataset = Dataset.open(workspace, name)
        for older in dataset.versions():
            if older != version:
                Index(dataset, older).drop()
        Index(dataset, version).start(workspace)
    except (StudioError, OSError):
        return


def _changed(path: Path) -> int:
    return os.stat(path).st_mtime_ns
