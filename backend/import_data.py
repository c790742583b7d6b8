"""The import as a job: `python -m backend.import_data FOLDER`, where FOLDER/settings.json holds ImportSettings."""

from __future__ import annotations

from typing import Any

from backend.job import Job, StopRequested, run_job


def main(job: Job) -> dict[str, Any]:
    """Imports the file that the settings name; the fields of `finished` are those of the import command's JSON."""
    from studio.datasets.importing import Stopped, import_file
    from studio.datasets.index import start_if_large
    from studio.settings.base import check
    from studio.settings.importing import ImportSettings

    given = {key: value for key, value in job.settings.items() if key != "job"}
    settings = check(ImportSettings, given, "This import can't be started.")

    def progress(done: int, total: int, what: str) -> None:
        job.progress(done, total, "bytes", what)

    try:
        made = import_file(job.workspace, settings, progress, job.should_stop)
    except Stopped:
        raise StopRequested from None
    start_if_large(job.workspace, made.name, made.version)
    return made.as_dict()


if __name__ == "__main__":
    run_job(main)
