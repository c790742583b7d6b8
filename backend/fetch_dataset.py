"""Fetches Parquet files of a hub dataset: `python -m backend.fetch_dataset FOLDER`, settings as of the import.

What was fetched lies with the uploads of the page, and is looked at, mapped and imported like a file that came
through it. `fetch` is what the import command uses, too.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from backend.job import Job, run_job
from studio import preferences
from studio.errors import NoRoom
from studio.settings.base import check
from studio.settings.importing import ImportSettings

SPARE = 200_000_000


def main(job: Job) -> dict[str, Any]:
    """Fetches into a new upload; `finished` says its id, and where the rows come from."""
    from studio.datasets.importing.uploads import Uploads

    given = {key: value for key, value in job.settings.items() if key != "job"}
    settings = check(ImportSettings, given, "This dataset can't be fetched.")
    uploads = Uploads(job.workspace)
    upload, folder = uploads.new_folder()
    try:
        origin = fetch(job, settings, folder)
    except BaseException:
        uploads.discard(upload)
        raise
    uploads.note_origin(upload, origin)
    return {"upload": upload, "origin": origin, "files": len(list(folder.iterdir()))}


def fetch(job: Job, settings: ImportSettings, folder: Path) -> str:
    """The files of the split asked for (or of all), as SPLIT-0001.parquet; returns where they come from, in words.

    Raises:
        Offline, NotFound, Refused, BadInput: as `studio.datasets.importing.hub.look_up`.
        NoRoom: they don't fit on the disk.
    """
    preferences.check_online(job.workspace, f"{settings.hub} can't be fetched.")
    from backend import hub
    from studio.datasets.importing.hub import look_up

    job.progress(0, None, "bytes", "Asking the hub")
    dataset = look_up(settings.hub, settings.revision)
    config, parts = dataset.choose(settings.config, settings.hub_split)
    numbers: dict[str, int] = {}
    files = []
    for part in parts:
        numbers[part.split] = numbers.get(part.split, 0) + 1
        kept = f"{part.split}-{numbers[part.split]:04}.parquet"
        files.append(hub.HubFile(part.name, part.size, part.digest, kept))
    listing = hub.Listing(dataset.repo, dataset.revision, tuple(files), dataset.licence, (), "dataset")
    free = shutil.disk_usage(folder).free
    if free < listing.size + SPARE:
        raise NoRoom(
            f"The disk has no room for {dataset.repo}.",
            f"It needs {listing.size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free.",
            "Free some space, or choose one split.",
        )
    job.event("loading", item=dataset.repo, bytes=listing.size, revision=dataset.revision)

    def tick(done: int, name: str) -> None:
        job.stop_if_asked()
        job.progress(done, listing.size, "bytes", f"Downloading {name}")

    hub.fetch(listing, folder, tick, lambda: None)
    split = f", split {settings.hub_split}" if settings.hub_split else ""
    licence = f", licence {dataset.licence}" if dataset.licence else ""
    return f"Hugging Face hub: {dataset.repo}, configuration {config}{split}, revision {dataset.revision}{licence}"


if __name__ == "__main__":
    run_job(main)
