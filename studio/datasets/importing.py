"""The import, step by step: a file becomes a frozen version of a dataset, or nothing is left of it.

All is made in a hidden folder beside the datasets and takes its place by one rename (a first version) or when
dataset.json names it (a further one). A killed import leaves that folder behind; the next import clears it away.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from studio import migrate
from studio.datasets.drafts import Drafter
from studio.datasets.formats import Guess, choose
from studio.datasets.intake import Intake
from studio.datasets.readers import columns_of, open_reader, sample
from studio.datasets.records import Reader
from studio.datasets.split import DEFAULT, SIDES, read_fractions
from studio.datasets.store import INFO, read_info
from studio.datasets.versions import VersionWriter
from studio.errors import BadInput, Busy, NoRoom, Refused
from studio.files import check_name, flush
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace

COPY_BYTES = 4 << 20
SPARE_BYTES = 64 << 20
EVERY = 256
SCRATCH = ".importing"

Progress = Callable[[int, int, str], None]


class Stopped(Exception):
    """Somebody asked to stop; nothing of the import is left."""


@dataclass(frozen=True)
class Imported:
    """What an import made."""

    name: str
    version: int
    info: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The fields of the command's JSON."""
        keys = ("format", "kind", "rows", "bad_rows", "counts", "reasons", "notes")
        return {"name": self.name, "version": self.version, **{key: self.info[key] for key in keys}}


class Watch:
    """Tells how far an import is, and ends it when asked to."""

    def __init__(self, progress: Progress | None, should_stop: Callable[[], bool] | None) -> None:
        self.progress = progress
        self.should_stop = should_stop

    def __call__(self, done: int, total: int, what: str) -> None:
        if self.should_stop and self.should_stop():
            raise Stopped
        if self.progress:
            self.progress(done, total, what)


def import_file(
    workspace: Workspace,
    settings: ImportSettings,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Imported:
    """Imports one file.

    Args:
        progress: called now and then with bytes done, bytes in all, and what is being done.
        should_stop: asked as often; True ends the import with Stopped.

    Raises:
        BadInput: the file can't be read or recognised, or (BadRows) rows of it can't be used.
        Busy: another import is at work on that name.
        NoRoom: the disk has not enough space.
    """
    watch = Watch(progress, should_stop)
    source = Path(settings.source)
    open_reader(source, settings.encoding)  # what can't be read is refused before it is copied
    with hold(workspace, check_name(settings.name, "dataset name")) as scratch:
        folder = workspace.datasets / settings.name
        before = read_info(folder) if folder.exists() else None
        version = 1 + max((entry["version"] for entry in before["versions"]), default=0) if before else 1
        _check_room(source, workspace.datasets)
        copy, digest = _copy(source, scratch / "source" / f"{version:04}", watch)
        reader = open_reader(copy, settings.encoding)
        guess = _recognise(reader, settings)
        intake, sides = _fill(reader, guess, settings, scratch, scratch / "versions" / f"{version:04}.parquet", watch)
        entry = {
            "version": version,
            "made": round(time.time(), 3),
            "rows": intake.rows,
            "counts": {side: sides.count(place) for place, side in enumerate(SIDES)},
            "format": guess.format,
            "kind": guess.mapping.kind,
            "reasons": guess.reasons,
            "mapping": guess.mapping.model_dump(exclude_defaults=True),
            "split": settings.split,
            "seed": settings.seed,
            "source": {
                "file": copy.name, "kind": reader.kind, "bytes": copy.stat().st_size, "sha256": digest,
                "encoding": settings.encoding,
            },
            "notes": reader.notes,
            "bad_rows": intake.bad_count,
            "bad": [item._asdict() for item in intake.bad],
        }  # fmt: skip
        _publish(folder, scratch, entry, before)
    return Imported(settings.name, version, entry)


@contextmanager
def hold(workspace: Workspace, name: str) -> Iterator[Path]:
    """An empty hidden folder for the import of `name`, its lock held; gone at the end unless it was renamed."""
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
    scratch = workspace.datasets / f".{name}{SCRATCH}"
    try:
        _clear(workspace, name)
        scratch.mkdir()
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
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


def _check_room(source: Path, place: Path) -> None:
    needed = 2 * source.stat().st_size + SPARE_BYTES
    free = shutil.disk_usage(place).free
    if free < needed:
        raise NoRoom(
            "The disk has not enough space for this import.",
            f"It needs about {needed / 1e9:.1f} GB; {free / 1e9:.1f} GB are free.",
            "Free some space (empty the trash, delete old runs) and try again.",
        )


def _copy(source: Path, folder: Path, watch: Watch) -> tuple[Path, str]:
    """The file as it came, copied, and its SHA-256."""
    folder.mkdir(parents=True)
    copy = folder / source.name
    digest = hashlib.sha256()
    done, total = 0, source.stat().st_size
    with open(source, "rb") as original, open(copy, "wb") as target:
        while block := original.read(COPY_BYTES):
            watch(done, total, "copying the file")
            target.write(block)
            digest.update(block)
            done += len(block)
    return copy, digest.hexdigest()


def _recognise(reader: Reader, settings: ImportSettings) -> Guess:
    records = sample(reader)
    columns = columns_of(records)
    if not columns:
        problem = next((record for record in reader.records()), None)
        raise BadInput(
            f"{reader.path.name} has no rows.",
            f"{reader.unit.capitalize()} {problem.line:,}: {problem.problem}." if problem else "It has names at most.",
            "Choose a file with examples, each with named fields.",
            field="source",
        )
    return choose(columns, records, settings.mapping, settings.read_as)


def _fill(
    reader: Reader, guess: Guess, settings: ImportSettings, scratch: Path, path: Path, watch: Watch
) -> tuple[Intake, array[int]]:
    """Reads every record, and writes the version; the intake with its counts, and the side of each row."""
    if settings.split is not None:  # shares given win over a column of the file
        guess.mapping = guess.mapping.model_copy(update={"split": None})
    total = reader.path.stat().st_size
    writer = VersionWriter(scratch / "rows.arrow")
    try:
        intake = Intake(Drafter(guess.mapping), writer, reader.unit)
        for number, record in enumerate(reader.records()):
            if number % EVERY == 0:
                watch(reader.done, total, "reading rows")
            intake.take(record)
        intake.refuse(reader.path.name, settings.skip_bad)
        watch(total, total, "drawing the split and writing")
        sides = intake.sides(read_fractions(settings.split) if settings.split else dict(DEFAULT), settings.seed)
        writer.finish(path, sides, reader.path.name)
    finally:
        writer.close()
    return intake, sides


def _publish(folder: Path, scratch: Path, entry: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Puts the version in its place, all at once."""
    if before is None:
        info = {"name": folder.name, "made": entry["made"], "versions": [entry]}
        migrate.save(scratch / INFO, "dataset", info)
        _flush_all(scratch)
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
    _flush_all(scratch)
    number = f"{entry['version']:04}"
    os.rename(scratch / "source" / number, folder / "source" / number)
    os.rename(scratch / "versions" / f"{number}.parquet", folder / "versions" / f"{number}.parquet")
    migrate.save(folder / INFO, "dataset", before | {"versions": [*before["versions"], entry]})


def _flush_all(folder: Path) -> None:
    for path in folder.rglob("*"):
        flush(path)
