"""The import as a job: `python -m backend.import_data FOLDER`, where FOLDER/settings.json holds ImportSettings."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.job import Job, StopRequested, run_job

if TYPE_CHECKING:
    from studio.datasets.importing.steps import Imported
    from studio.settings.importing import ImportSettings


def main(job: Job) -> dict[str, Any]:
    """Imports what the settings name, fetched first where it is a hub dataset.

    The fields of `finished` are those of the import command's JSON.
    """
    from studio.datasets.browsing.index import start_if_large
    from studio.datasets.importing.steps import import_file
    from studio.datasets.versions.publishing import Stopped
    from studio.settings.base import check
    from studio.settings.importing import ImportSettings

    given = {key: value for key, value in job.settings.items() if key != "job"}
    settings = check(ImportSettings, given, "This import can't be started.")

    def progress(done: int, total: int, what: str) -> None:
        job.progress(done, total, "bytes", what)

    try:
        with tempfile.TemporaryDirectory(dir=job.folder) as scratch:
            if settings.hub:
                settings = _fetched(job, settings, Path(scratch) / settings.hub.replace("/", "--"))
            made = import_file(job.workspace, settings, progress, job.should_stop)
    except Stopped:
        raise StopRequested from None
    start_if_large(job.workspace, made.name, made.version)
    return made.as_dict() | _news(job, made)


def _news(job: Job, made: Imported) -> dict[str, Any]:
    """What is new in a file that was imported before; the import stands also where that can't be told."""
    if made.version == 1:
        return {}
    import duckdb

    from studio.datasets.store import Dataset
    from studio.datasets.versions.comparing import news
    from studio.errors import StudioError

    try:
        found = news(Dataset.open(job.workspace, made.name), made.version)
    except (StudioError, OSError, duckdb.Error) as error:
        job.message(f"What is new can't be told: {error}")
        return {}
    return {"news": found} if found else {}


def _fetched(job: Job, settings: ImportSettings, folder: Path) -> ImportSettings:
    """The same import with the files of the hub in place of the hub's name."""
    from backend.fetch_dataset import fetch

    folder.mkdir()
    origin = fetch(job, settings, folder)
    return settings.model_copy(update={"source": [str(folder)], "origin": settings.origin or origin})


if __name__ == "__main__":
    run_job(main)
