"""The workspace: one folder that holds everything of a user, in open formats.

datasets/  models/  runs/  evaluations/  exports/  jobs/  sweeps/  trash/
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio import migrate
from studio.errors import BadInput, Broken, Missing, NotFound, Refused, StudioError
from studio.files import check_name, inside, read_json, write_json

FOLDERS = ("datasets", "models", "runs", "evaluations", "exports", "jobs", "sweeps", "trash")
# What can be deleted and restored, and what a person calls one of it.
KINDS = {
    "datasets": "dataset",
    "models": "model",
    "runs": "run",
    "evaluations": "evaluation",
    "exports": "export",
    "jobs": "job",
    "sweeps": "sweep",
}
MARK = "workspace.json"
LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Trashed:
    """One deleted item: where it came from and when."""

    key: str
    folder: str
    name: str
    deleted: float


class Workspace:
    """The folders of one workspace.

    Args:
        root: where it is or shall be; made by `open`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def open(cls, root: Path | str) -> Workspace:
        """The workspace at `root`, made when there is nothing yet.

        Raises:
            Refused: `root` is a folder with other things in it.
            NewerFormat: a newer studio made it.
        """
        root = Path(root).expanduser().absolute()
        mark = root / MARK
        if mark.exists():
            migrate.load(mark, "workspace")
        else:
            if root.exists() and not root.is_dir():
                raise BadInput(f"{root} is no folder.", "A workspace is a folder.", "Name another place.")
            strange = [p.name for p in root.iterdir() if not p.name.startswith(".")] if root.exists() else []
            if any(name not in FOLDERS for name in strange):
                raise Refused(
                    f"{root} is not a workspace.",
                    f"It holds other things ({', '.join(sorted(strange)[:3])}), which the studio will not mix with.",
                    "Name an empty folder or one that does not exist yet.",
                )
            root.mkdir(parents=True, exist_ok=True)
            migrate.save(mark, "workspace", {"made": round(time.time(), 3)})
        for folder in FOLDERS:
            (root / folder).mkdir(exist_ok=True)
        return cls(root)

    @property
    def datasets(self) -> Path:
        return self.root / "datasets"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def evaluations(self) -> Path:
        return self.root / "evaluations"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def sweeps(self) -> Path:
        return self.root / "sweeps"

    @property
    def trash(self) -> Path:
        return self.root / "trash"

    def folder(self, kind: str, name: str) -> Path:
        """The folder of one item, by its kind (`runs`) and its name; Missing when there is none.

        Of a name that nothing can have there is none either.
        """
        try:
            path = inside(self.root, kind, check_name(name))
        except BadInput:
            shown = name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…"
            raise Missing(KINDS[kind], kind, shown, None, self.names(kind)) from None
        if not path.is_dir():
            trashed = (item.deleted for item in self.trashed() if (item.folder, item.name) == (kind, name))
            raise Missing(KINDS[kind], kind, name, next(trashed, None), self.names(kind))
        return path

    def names(self, kind: str) -> list[str]:
        """The names of all items of a kind, sorted; half-made ones (hidden) are left out."""
        try:
            with os.scandir(self.root / kind) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        except FileNotFoundError:
            return []

    def new_id(self, kind: str, hint: str = "") -> str:
        """An id that sorts by time and is unique: `20261122-093015-hint-4f2a`."""
        stamp = time.strftime("%Y%m%d-%H%M%S")
        middle = f"-{hint[:32]}" if hint else ""
        while True:
            name = f"{stamp}{middle}-{secrets.token_hex(2)}"
            if not (self.root / kind / name).exists():
                return check_name(name)

    def delete(self, kind: str, name: str) -> str:
        """Moves an item to the trash; returns the key to restore it by."""
        path = self.folder(kind, name)
        key = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        place = self.trash / key
        place.mkdir()
        write_json(place / "trashed.json", {"folder": kind, "name": name, "deleted": time.time()})
        os.rename(path, place / "item")
        return key

    def trashed(self) -> list[Trashed]:
        """What lies in the trash, latest first; what can't be read is passed over here and counted by `empty_trash`."""
        found = []
        for place in self.trash.iterdir():
            try:
                note = read_json(place / "trashed.json")
                found.append(Trashed(place.name, str(note["folder"]), str(note["name"]), float(note["deleted"])))
            except (OSError, Broken, KeyError, TypeError, ValueError):
                continue
        found.sort(key=lambda item: item.deleted, reverse=True)
        return [item for item in found if (self.trash / item.key / "item").exists()]

    def restore(self, kind: str, name: str, key: str | None = None) -> Path:
        """Takes a deleted item out of the trash: the latest of that kind and name, or the one with that key."""
        for item in self.trashed():
            if (item.folder, item.name) == (kind, name) and key in (None, item.key):
                break
        else:
            raise NotFound(
                f"There is no deleted {KINDS[kind]} “{name}”.",
                "The trash does not hold it.",
                "See what the trash holds.",
            )
        path = inside(self.root, kind, check_name(name))
        if path.exists():
            raise Refused(
                f"“{name}” can't be restored.",
                f"There is another {KINDS[kind]} of that name now.",
                "Rename or delete that one first.",
            )
        os.rename(self.trash / item.key / "item", path)
        shutil.rmtree(self.trash / item.key, ignore_errors=True)
        return path

    def empty_trash(self) -> int:
        """Deletes for good what lies in the trash; returns how many items went."""
        places = list(self.trash.iterdir())
        for place in places:
            shutil.rmtree(place)
        return len(places)


def broken(error: Exception) -> dict[str, Any]:
    """The reason why an item can't be shown, for lists that go on without it."""
    if isinstance(error, StudioError):
        return error.as_dict()
    return {"what": "This folder can't be read.", "why": str(error), "next": "Delete it, or restore its files."}


def as_json(data: Any) -> str:
    """One line of JSON for standard output."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False)
