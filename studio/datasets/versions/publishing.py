"""How a version takes its place: made in a hidden folder, published all at once, or nothing is left of it.

The folder stands beside the datasets and takes its place by one rename (a first version) or when dataset.json names
what it holds (a further one). What is killed meanwhile leaves the folder behind; the next to come clears it away.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from studio import migrate
from studio.datasets.store import INFO, read_info
from studio.errors import Busy, Refused
from studio.files import flush
from studio.workspace import Workspace

SCRATCH = ".importing"

Progress = Callable[[int, int, str], None]


class Stopped(Exception):
    """Somebody asked to stop; nothing of what was being made is left."""


class Watch:
    """Tells how far the making of a version is, and ends it when asked to."""

    def __init__(self, progress: Progress | None, should_stop: Callable[[], bool] | None) -> None:
        self.progress = progress
        self.should_stop = should_stop

    def __call__(self, done: int, total: int, what: str) -> None:
        if self.should_stop and self.should_stop():
            raise Stopped
        if self.progress:
            self.progress(done, total, what)


@contextmanager
def hold(workspace: Workspace, name: str) -> Iterator[Path]:
    """An empty hidden folder for what `name` shall get, nobody else at it; gone at the end unless it was renamed."""
    with alone(workspace, name):
        scratch = workspace.datasets / f".{name}{SCRATCH}"
        try:
            _clear(workspace, name)
            scratch.mkdir()
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def alone(workspace: Workspace, name: str) -> Iterator[None]:
    """Nobody else changes the versions of `name` meanwhile; Busy when somebody does."""
    lock = _lock(workspace, name)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Busy(
            f"Another import into “{name}” is under way.",
            "Two at once would mix their versions.",
            "Wait until it has ended, or choose another name.",
            field="name",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _lock(workspace: Workspace, name: str) -> FileLock:
    return FileLock(workspace.datasets / f".{name}.lock", is_singleton=False)


def _clear(workspace: Workspace, name: str) -> None:
    """Removes what killed imports left: their hidden folders where nobody is at work, and versions never published."""
    for left in workspace.datasets.glob(f".*{SCRATCH}"):
        owner = left.name[1 : -len(SCRATCH)]
        if owner == name:
            shutil.rmtree(left)
            continue
        other = _lock(workspace, owner)
        try:
            other.acquire(timeout=0)
        except Timeout:
            continue
        shutil.rmtree(left, ignore_errors=True)
        other.release()
    folder = workspace.datasets / name
    if folder.is_dir():
        known = {f"{entry['version']:04}" for entry in read_info(folder)["versions"]}
        for path in [*folder.glob("versions/[0-9]*.parquet"), *folder.glob("source/[0-9]*")]:
            if path.stem.isdigit() and path.stem not in known:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def publish(folder: Path, scratch: Path, entry: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Puts the version in its place, all at once."""
    if before is None:
        info = {"name": folder.name, "made": entry["made"], "versions": [entry]}
        migrate.save(scratch / INFO, "dataset", info)
        flush_all(scratch)
        try:
            os.rename(scratch, folder)
        except OSError:
            if not folder.exists():
                raise
            raise Refused(
                f"“{folder.name}” came into being meanwhile.",
                "Somebody restored or copied a dataset of that name.",
                "Import the file again: it becomes a further version, or choose another name.",
                field="name",
            ) from None
        flush(folder.parent)
        return
    flush_all(scratch)
    number = f"{entry['version']:04}"
    os.rename(scratch / "source" / number, folder / "source" / number)
    os.rename(scratch / "versions" / f"{number}.parquet", folder / "versions" / f"{number}.parquet")
    migrate.save(folder / INFO, "dataset", before | {"versions": [*before["versions"], entry]})


def flush_all(folder: Path) -> None:
    """Has the disk write all that a folder holds; done once, it takes hardly any time again."""
    for path in folder.rglob("*"):
        flush(path)
