"""Files that came through the page, kept until they are imported: jobs/.uploads/ID/file/NAME, several side by side.

One is gone when its import has finished, or after a day; what an import is reading stays.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from studio.errors import NotFound
from studio.files import inside
from studio.jobs import folder as job_folder
from studio.workspace import Workspace

FOLDER = ".uploads"
IMPORT = "import"
ORIGIN = "origin"
KEPT_SECONDS = 24 * 3600.0
LONGEST_NAME = 120


class Uploads:
    """The uploads of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.folder = workspace.jobs / FOLDER

    def new_folder(self) -> tuple[str, Path]:
        """A new upload: its id, and the folder for its files."""
        upload = secrets.token_hex(8)
        folder = self.folder / upload / "file"
        folder.mkdir(parents=True)
        return upload, folder

    def new(self, name: str, upload: str = "") -> tuple[str, Path]:
        """A place for a file of that name, in a new upload or beside those of one: its id, and the path to write to."""
        if not upload:
            upload, folder = self.new_folder()
            return upload, folder / safe_name(name)
        folder = self.paths(upload)[0].parent
        last = Path(safe_name(name))
        path, number = folder / last, 1
        while path.exists():
            number += 1
            path = folder / f"{last.stem} ({number}){last.suffix}"
        return upload, path

    def paths(self, upload: str) -> list[Path]:
        """Where the files lie, by name; NotFound when they are gone."""
        if re.fullmatch(r"[0-9a-f]{16}", upload):
            found = sorted(inside(self.folder, upload, "file").glob("*"))
            if found:
                return found
        raise NotFound(
            "The uploaded file is gone.", "It was imported, or was kept for a day.", "Choose the file again."
        )

    def used_by(self, upload: str, job: Path) -> None:
        """Notes the import that reads it."""
        (self.paths(upload)[0].parent.parent / IMPORT).write_text(job.name, encoding="utf-8")

    def note_origin(self, upload: str, words: str) -> None:
        """Notes where the files come from."""
        (self.folder / upload / ORIGIN).write_text(words, encoding="utf-8")

    def origin(self, upload: str) -> str:
        """Where the files come from, "" when it is not known."""
        try:
            return (self.paths(upload)[0].parent.parent / ORIGIN).read_text(encoding="utf-8")
        except OSError:
            return ""

    def discard(self, upload: str) -> None:
        """Removes an upload, also one without a file yet."""
        if re.fullmatch(r"[0-9a-f]{16}", upload):
            shutil.rmtree(inside(self.folder, upload), ignore_errors=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder to unpack to while something is looked at; one that a kill left is swept as uploads are."""
        upload, folder = self.new_folder()
        try:
            yield folder
        finally:
            self.discard(upload)

    def sweep(self) -> None:
        """Removes what nobody needs any more."""
        for place in self.folder.iterdir() if self.folder.is_dir() else ():
            status = self._import_status(place)
            old = time.time() - place.stat().st_mtime > KEPT_SECONDS
            if status == "finished" or (old and status not in ("queued", "running", "stopping")):
                shutil.rmtree(place, ignore_errors=True)

    def _import_status(self, place: Path) -> str:
        try:
            job = self.workspace.jobs / (place / IMPORT).read_text(encoding="utf-8")
        except OSError:
            return ""
        return job_folder.status(job) if job.is_dir() else ""


def safe_name(name: str) -> str:
    """The last part of a file's name without what file systems refuse; its ending stays."""
    last = re.sub(r'[\x00-\x1f\x7f<>:"|?*]', "", re.split(r"[/\\]", name)[-1]).strip(" .")
    stem, dot, suffix = last.rpartition(".")
    if not stem:
        stem, dot, suffix = last, "", ""
    while len(f"{stem}{dot}{suffix}".encode()) > LONGEST_NAME and (stem or suffix):
        stem, suffix = (stem[:-1], suffix) if stem else (stem, suffix[:-1])
    return f"{stem}{dot}{suffix}" or "file"
