"""How much of the disk a workspace uses, by kind: counted in the background, as a million files take a while."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from studio.files import disk_use
from studio.workspace import FOLDERS, Workspace

FRESH_SECONDS = 20.0


@dataclass
class Count:
    """One look at the disk: bytes by kind, and of each item in the trash by its key; `done` when it is whole."""

    bytes: dict[str, int] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    trashed: dict[str, int] = field(default_factory=dict)
    ended: float | None = None


class DiskUse:
    """Counts one workspace, at most one count at a time; a look never waits for it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.now = Count()
        self.last: Count | None = None
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None

    def look(self) -> dict[str, Any]:
        """The last whole count, or what the first one has found so far; starts another when that one is old.

        Returns:
            {"kinds": [{"kind", "bytes", "items"}], "trashed": {key: bytes}, "counting", "free", "total"}
        """
        with self.lock:
            counting = self.thread is not None and self.thread.is_alive()
            old = self.last is None or time.monotonic() - (self.last.ended or 0.0) > FRESH_SECONDS
            if old and not counting:
                self.now = Count()
                self.thread = threading.Thread(target=self._count, args=(self.now,), name="disk-use", daemon=True)
                self.thread.start()
                counting = True
            shown = self.last or self.now
        disk = shutil.disk_usage(self.workspace.root)
        kinds = [
            {"kind": kind, "bytes": shown.bytes[kind], "items": shown.items[kind]}
            for kind in FOLDERS
            if kind in list(shown.items)
        ]
        first = self.last is None
        return {
            "kinds": kinds,
            "trashed": dict(shown.trashed),
            "counting": counting and first,
            "part": f"{len(kinds)} of {len(FOLDERS)}",
            "free": disk.free,
            "total": disk.total,
        }

    def forget(self, unless_counted: set[str] | None = None) -> None:
        """Something was deleted or restored: the next look counts again.

        Args:
            unless_counted: keys in the trash; nothing is forgotten when the last count has them all.
        """
        with self.lock:
            if self.last and not (unless_counted is not None and unless_counted <= self.last.trashed.keys()):
                self.last.ended = float("-inf")

    def _count(self, count: Count) -> None:
        for kind in FOLDERS:
            if kind == "trash":
                places = [place.name for place in self.workspace.trash.iterdir() if place.is_dir()]
                count.trashed = {place: disk_use(self.workspace.trash / place) for place in places}
                count.bytes[kind] = sum(count.trashed.values())
                count.items[kind] = len(places)
            else:
                count.bytes[kind] = disk_use(self.workspace.root / kind)
                count.items[kind] = len(self.workspace.names(kind))
        count.ended = time.monotonic()
        with self.lock:
            self.last = count
