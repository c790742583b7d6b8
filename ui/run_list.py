"""All runs as the page lists them, told again only where something changed."""

from __future__ import annotations

import os
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio import events, runs
from studio.files import disk_use
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.workspace import Workspace

# Several open pages ask at the same moment; one look at the disk serves them all.
FRESH_SECONDS = 0.4
DISK_SECONDS = 30.0
LIVE = ("queued", "running", "stopping")
FILES = (events.EVENTS, events.METRICS, job_folder.SETTINGS, runs.NOTE)

Mark = tuple[tuple[int, int], ...]


@dataclass
class _Kept:
    """One run as it was last told: when it changed last, and what it was made from."""

    data: dict[str, Any]
    changed: int
    mark: Mark
    disk: int
    disk_at: float


class RunList:
    """The list of one workspace. A mark says what a page has already seen: `LIFE.NUMBER`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.life = secrets.token_hex(4)
        self.number = 0
        self.kept: dict[str, _Kept] = {}
        self.gone: dict[str, int] = {}
        self.looked = 0.0
        self.lock = threading.Lock()

    def changes(self, since: str = "") -> dict[str, Any]:
        """The runs that changed since a mark, newest first: all of them when the mark is none of this studio's life.

        Returns:
            {"mark", "now", "whole": whether these are all, "runs", "gone": ids}
        """
        with self.lock:
            self._look()
            life, _, number = since.partition(".")
            known = int(number) if life == self.life and number.isdecimal() else -1
            found = [item.data for _, item in sorted(self.kept.items(), reverse=True) if item.changed > known]
            gone = [run for run, when in self.gone.items() if when > known >= 0]
            mark = f"{self.life}.{self.number}"
        return {"mark": mark, "now": round(time.time(), 3), "whole": known < 0, "runs": found, "gone": gone}

    def one(self, run: str) -> dict[str, Any]:
        """One run as the list has it, looked at now."""
        with self.lock:
            self._look()
            if run in self.kept:
                return self.kept[run].data | {"now": round(time.time(), 3)}
        return runs.summary(self.workspace.runs / run).as_dict()

    def look_again(self) -> None:
        """Something was just done to a run: the next answer shows it."""
        with self.lock:
            self.looked = 0.0

    def _look(self) -> None:
        now = time.monotonic()
        if now - self.looked < FRESH_SECONDS:
            return
        self.looked = now
        names = self.workspace.names("runs")
        fresh = {name: self._summary(name, now) for name in names}
        order = self._places() if any(item["status"] == "queued" for item, _, _, _ in fresh.values()) else {}
        for name, (data, mark, disk, disk_at) in fresh.items():
            shown = data | {"place": order.get(name), "disk": disk}
            before = self.kept.get(name)
            if before is None or before.data != shown:
                self.number += 1
                self.gone.pop(name, None)
                self.kept[name] = _Kept(shown, self.number, mark, disk, disk_at)
            else:
                before.mark, before.disk_at = mark, disk_at
        for name in self.kept.keys() - fresh.keys():
            self.number += 1
            self.gone[name] = self.number
            del self.kept[name]

    def _places(self) -> dict[str, int]:
        """Places in the queue, from 1."""
        waiting = [item.folder for item in queue.waiting(self.workspace)]
        return {folder.name: place for place, folder in enumerate(waiting, 1) if folder.parent == self.workspace.runs}

    def _summary(self, name: str, now: float) -> tuple[dict[str, Any], Mark, int, float]:
        """A run's summary and disk use; those of an ended run are read again only when one of its files changed."""
        folder = self.workspace.runs / name
        mark = _mark(folder)
        before = self.kept.get(name)
        same = before is not None and before.mark == mark
        if before and same and before.data["status"] not in (*LIVE, "interrupted"):
            return dict(before.data), mark, before.disk, before.disk_at
        data = runs.summary(folder).as_dict()
        if before and (same or (data["status"] in LIVE and now - before.disk_at < DISK_SECONDS)):
            return data, mark, before.disk, before.disk_at
        return data, mark, disk_use(folder), now


def _mark(folder: Path) -> Mark:
    """What changes when a run does: time and size of its small files."""
    found = []
    for name in FILES:
        try:
            about = os.stat(folder / name)
            found.append((about.st_mtime_ns, about.st_size))
        except OSError:
            found.append((0, 0))
    return tuple(found)
